#include "contraflow/transforms/column_statistics.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow {

ColumnStatistics column_statistics(std::string_view where, const at::Tensor& x) {
  if (x.size(0) < 2) {
    fail<DomainError>(where, "x", "at least two rows to take a deviation from",
                      c10::str(x.size(0), " row"), "Initialise with a larger batch.");
  }
  // Equality of the extremes, not a zero deviation: the mean of equal numbers is rounded.
  const at::Tensor low = x.amin(0);
  const at::Tensor constant = low.eq(x.amax(0)).nonzero().flatten();
  if (constant.numel() > 0) {
    const int64_t column = constant[0].item<int64_t>();
    fail<DomainError>(where, "x", "columns that vary",
                      c10::str("the constant ", low[column].item<double>(), " in column ", column,
                               " (", constant.numel(), " constant in all)"),
                      "Drop the column, or add noise to it; columns count from 0.");
  }
  const at::Tensor wide = x.to(at::kDouble);
  return {wide.mean(0), wide.std(0, /*unbiased=*/true)};
}

}  // namespace contraflow
