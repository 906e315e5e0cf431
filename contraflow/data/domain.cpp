#include "contraflow/data/domain.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

// "column 'x1'" of a row, "element [2, 0, 5]" of an event with more axes.
std::string place_text(const at::Tensor& index, const Columns& columns) {
  if (index.size(0) != 1) {
    std::string out;
    for (int64_t axis = 0; axis < index.size(0); ++axis)
      out += (axis > 0 ? ", " : "") + std::to_string(index[axis].item<int64_t>());
    return "element [" + out + "]";
  }
  const auto column = static_cast<size_t>(index[0].item<int64_t>());
  const bool named = column < columns.names.size();
  return "column " + (named ? "'" + columns.names[column] + "'" : std::to_string(column));
}

void require_none(const at::Tensor& x, const at::Tensor& bad, const Columns& columns,
                  const std::string& source, int64_t first_row, const std::string& expected) {
  if (!bad.any().item<bool>()) return;
  const at::Tensor first = bad.nonzero()[0];
  fail<DomainError>("data",
                    source + ", row " + std::to_string(first_row + first[0].item<int64_t>()) +
                        ", " + place_text(first.slice(0, 1), columns),
                    expected, c10::str(x.masked_select(bad)[0].item<double>()),
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
