#include "contraflow/data/domain.h"

#include <ATen/ATen.h>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

// With the name of a column that has one.
std::string place_text(const BadValue& bad, const Columns& columns) {
  const auto column = static_cast<size_t>(bad.place.empty() ? 0 : bad.place.front());
  if (bad.place.size() != 1 || column >= columns.names.size()) return bad.place_text();
  return "column '" + columns.names[column] + "'";
}

void require_none(const at::Tensor& x, const at::Tensor& bad, const Columns& columns,
                  const std::string& source, int64_t first_row, const std::string& expected) {
  const auto found = first_bad(x, bad);
  if (!found) return;
  fail<DomainError>("data",
                    source + ", row " + std::to_string(first_row + found->row) + ", " +
                        place_text(*found, columns),
                    expected, c10::str(found->value),
                    "Correct or remove the row; the model has no density there.");
}

}  // namespace

void check_domain(const at::Tensor& x, const Columns& columns, const std::string& source,
                  int64_t first_row) {
  if (columns.levels > 0) {
    const at::Tensor bad = x.ne(x.round()).logical_or(x.lt(0)).logical_or(x.ge(columns.levels));
    require_none(x, bad, columns, source, first_row,
                 "an integer from 0 to " + std::to_string(columns.levels - 1));
  }
  if (columns.bounds.size() == 2) {
    const at::Tensor bad = x.lt(columns.bounds[0]).logical_or(x.gt(columns.bounds[1]));
    require_none(x, bad, columns, source, first_row,
                 c10::str("a value in [", columns.bounds[0], ", ", columns.bounds[1], "]"));
  }
}

}  // namespace contraflow::data
