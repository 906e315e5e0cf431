#include "contraflow/data/table.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

constexpr const char* kCheckTable = "check_table";

// Calls `body(rows, first_row)` on the rows in order, as float64, a few thousand at a time.
void for_chunks(const Table& table, const std::function<void(const at::Tensor&, int64_t)>& body) {
  constexpr int64_t kValues = int64_t{1} << 18;
  const int64_t most = std::max<int64_t>(1, kValues / std::max<int64_t>(1, table.rows.size(1)));
  for (int64_t first = 0; first < table.rows.size(0); first += most) {
    const int64_t count = std::min(most, table.rows.size(0) - first);
    body(table.rows.narrow(0, first, count).to(at::kDouble), first);
  }
}

// Throws for the first value that `is_bad` marks.
void require_none(const Table& table, const std::function<at::Tensor(const at::Tensor&)>& is_bad,
                  const std::string& expected, const char* remedy) {
  for_chunks(table, [&](const at::Tensor& rows, int64_t first_row) {
    const auto bad = first_bad(rows, is_bad(rows));
    if (!bad) return;
    const auto column = static_cast<size_t>(bad->place.front());
    fail<DomainError>(kCheckTable,
                      table.source + ", row " + std::to_string(first_row + bad->row) + ", " +
                          bad->place_text() + " " + in_quotes(table.columns[column]),
                      expected, c10::str(bad->value), remedy);
  });
}

void check_constant_columns(const Table& table) {
  at::Tensor constant = at::ones({table.rows.size(1)}, at::kBool);
  const at::Tensor first = table.rows[0].to(at::kDouble);
  for_chunks(table, [&](const at::Tensor& rows, int64_t /*first_row*/) {
    constant = constant.logical_and(rows.eq(first).all(0));
  });
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

at::Tensor read_weight_file(const std::filesystem::path& path, int64_t rows,
                            const std::string& data) {
  const Table table = read_table(path);
  if (table.rows.size(1) != 1 || table.rows.size(0) != rows) {
    fail<ShapeError>("data", "weight '" + path.string() + "'",
                     "one column of " + std::to_string(rows) + " rows, one for each row of " + data,
                     c10::str(table.rows.sizes()), "Give one weight per row, in the same order.");
  }
  return table.rows.select(1, 0);
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
  require_none(
      table, [](const at::Tensor& v) { return at::isfinite(v).logical_not(); }, "a finite value",
      "Remove or impute such rows; rows and columns count from 0.");
  if (rules.levels > 0) {
    const int64_t top = rules.levels - 1;
    require_none(
        table,
        [top](const at::Tensor& v) {
          return (v != v.round()).logical_or(v < 0).logical_or(v > top);
        },
        "an integer from 0 to " + std::to_string(top) +
            ", as levels = " + std::to_string(rules.levels) + " says",
        "Correct levels, or set it to 0 for continuous values.");
  }
  if (rules.low && rules.high) {
    require_none(
        table, [&](const at::Tensor& v) { return (v < *rules.low).logical_or(v > *rules.high); },
        c10::str("a value within the bounds [", *rules.low, ", ", *rules.high, "]"),
        "Widen bounds, or remove such rows.");
  }
  if (!rules.allow_constant_columns) check_constant_columns(table);
}

}  // namespace contraflow::data
