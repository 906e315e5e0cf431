#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/choose_columns.h"
#include "contraflow/data/data_entries.h"
#include "contraflow/data/digits.h"
#include "contraflow/data/table_dataset.h"

namespace contraflow::data {
namespace {

constexpr const char* kDigitsLabel = "label";

std::vector<std::string> pixel_names() {
  std::vector<std::string> out;
  for (int64_t p = 0; p < Digits::kPixels; ++p) {
    out.push_back("pixel_" + std::to_string(p / Digits::kSide) + "_" +
                  std::to_string(p % Digits::kSide));
  }
  return out;
}

// Pixels and the label, all small integers.
Table digits_table() {
  const Digits digits = load_digits();
  Table out{pixel_names(), at::cat({digits.x, digits.labels.unsqueeze(1)}, 1).to(at::kByte),
            "digits"};
  out.columns.emplace_back(kDigitsLabel);
  return out;
}

Dataset open_digits(DataOptions options, at::ScalarType dtype, const KnownData* /*known*/) {
  if (options.levels != 0 && options.levels != Digits::kLevels) {
    fail<ConfigError>("data", "levels", "17, or unset, for the digits",
                      std::to_string(options.levels), "Remove levels.");
  }
  Table table = digits_table();
  Columns columns = choose_columns(table.columns, options, kDigitsLabel);
  columns.levels = Digits::kLevels;
  const std::vector<int64_t> order = find_columns(table.columns, columns.to_read(), table.source);
  table.rows = table.rows.index_select(1, at::tensor(order, at::kLong));
  if (columns.names == pixel_names()) options.image = {Digits::kSide, Digits::kSide};
  if (!options.validation_rows) options.validation_rows = 144;
  if (!options.test_rows) options.test_rows = 360;
  return table_dataset(table, columns, {static_cast<int64_t>(columns.names.size())}, options,
                       dtype);
}

}  // namespace

DataEntry detail::digits_entry() {
  return {.name = "digits",
          .kind = "built-in data set",
          .summary = format_count(Digits::kRows) +
                     " handwritten digits of 8 x 8 pixels, integers 0 .. 16, and their label",
          .source = "UCI",
          .options = {"columns", "label", "levels"},
          .takes = [](const std::string& name) { return name == "digits"; },
          .open = open_digits};
}

}  // namespace contraflow::data
