#include "contraflow/data/table.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

constexpr const char* kCheckTable = "check_table";

// Throws for the first value of `bad`, a mask of the table's shape.
void require_none(const Table& table, const at::Tensor& bad, const std::string& expected,
                  const char* remedy) {
  if (!bad.any().item<bool>()) return;
  const at::Tensor first = bad.nonzero()[0];
  const int64_t row = first[0].item<int64_t>();
  const int64_t column = first[1].item<int64_t>();
  fail<DomainError>(kCheckTable,
                    table.source + ", row " + std::to_string(row) + ", column " +
                        std::to_string(column) + " " +
                        in_quotes(table.columns[static_cast<size_t>(column)]),
                    expected, c10::str(table.rows[row][column].item<double>()), remedy);
}

void check_constant_columns(const Table& table) {
  const at::Tensor constant = std::get<0>(table.rows.min(0)) == std::get<0>(table.rows.max(0));
  if (!constant.any().item<bool>()) return;
  std::vector<std::string> names;
  for (int64_t c = 0; c < constant.size(0); ++c) {
    if (constant[c].item<bool>()) names.push_back(table.columns[static_cast<size_t>(c)]);
  }
  fail<DomainError>(
      kCheckTable, table.source, "columns that vary, since a constant has no density",
      "one value only in " + shorten(join(names, ", "), 200),
      "Leave them out with columns = [...]; for integers to be dequantized set levels.");
}

int64_t part_size(const char* name, int64_t count, double fraction, std::optional<int64_t> rows) {
  if (rows) {
    if (*rows >= 0) return *rows;
    fail<ConfigError>("split", std::string(name) + "_rows", ">= 0", std::to_string(*rows),
                      "Give a number of rows, or leave it out.");
  }
  if (!(fraction >= 0.0 && fraction < 1.0)) {
    fail<ConfigError>("split", std::string(name) + "_fraction", "in [0, 1)",
                      std::to_string(fraction), "Give the part of the rows, for example 0.1.");
  }
  if (fraction == 0.0) return 0;
  return std::max<int64_t>(1, std::llround(fraction * static_cast<double>(count)));
}

}  // namespace

Table read_table(const std::filesystem::path& path, const FileOptions& options) {
  const auto reader = open_rows(path, options);
  Table table{reader->columns(), read_all(*reader).flatten(1), path.string()};
  if (table.columns.empty()) {
    for (int64_t c = 0; c < table.rows.size(1); ++c) {
      table.columns.push_back("value_" + std::to_string(c));
    }
  }
  return table;
}

void check_table(const Table& table, const TableRules& rules) {
  const at::Tensor& x = table.rows;
  if (x.dim() != 2 || x.size(1) != static_cast<int64_t>(table.columns.size()) || x.size(1) == 0) {
    fail<ShapeError>(kCheckTable, table.source,
                     "rows [N, " + std::to_string(table.columns.size()) + "] with some column",
                     c10::str(x.sizes()), "Select at least one column.");
  }
  if (x.size(0) < 2) {
    fail<ShapeError>(kCheckTable, table.source, "two rows or more", std::to_string(x.size(0)),
                     "A density cannot be fitted to fewer; check that the file is complete.");
  }
  require_none(table, at::isfinite(x).logical_not(), "a finite value",
               "Remove or impute such rows; rows and columns count from 0.");
  if (rules.levels > 0) {
    const int64_t top = rules.levels - 1;
    require_none(table, (x != x.round()).logical_or(x < 0).logical_or(x > top),
                 "an integer from 0 to " + std::to_string(top) +
                     ", as levels = " + std::to_string(rules.levels) + " says",
                 "Correct levels, or set it to 0 for continuous values.");
  }
  if (rules.low && rules.high) {
    require_none(table, (x < *rules.low).logical_or(x > *rules.high),
                 c10::str("a value within the bounds [", *rules.low, ", ", *rules.high, "]"),
                 "Widen bounds, or remove such rows.");
  }
  if (!rules.allow_constant_columns) check_constant_columns(table);
}

SplitRows split_rows(int64_t count, const SplitSizes& sizes, const Rng& rng) {
  const int64_t test = part_size("test", count, sizes.test_fraction, sizes.test_rows);
  const int64_t validation =
      part_size("validation", count, sizes.validation_fraction, sizes.validation_rows);
  if (test >= count || validation >= count - test) {
    fail<ConfigError>("split", "rows",
                      "more than the " + std::to_string(validation) + " for validation and the " +
                          std::to_string(test) + " for the test",
                      std::to_string(count), "Ask for fewer of them, or bring more rows.");
  }
  const at::Tensor order = rng.permutation(count);
  return {order.narrow(0, test + validation, count - test - validation),
          order.narrow(0, test, validation), order.narrow(0, 0, test)};
}

}  // namespace contraflow::data
