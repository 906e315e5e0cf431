#include "contraflow/transforms/column_bounds.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow {

at::Tensor per_column(std::string_view where, std::string_view name,
                      const std::vector<double>& values, int64_t dim) {
  const auto count = static_cast<int64_t>(values.size());
  if (count != 1 && count != dim) {
    fail<ConfigError>(where, name, c10::str("1 or ", dim, " values"), c10::str(count, " values"),
                      "Give one value for all columns or one per column.");
  }
  const at::Tensor out = at::tensor(values, at::kDouble);
  return count == dim ? out : out.repeat({dim});
}

void check_none_bad(std::string_view where, const at::Tensor& x, const at::Tensor& bad,
                    std::string_view expected, std::string_view remedy) {
  if (!bad.any().item<bool>()) return;
  const at::Tensor first = bad.nonzero()[0];
  const int64_t row = first[0].item<int64_t>();
  const int64_t column = first[1].item<int64_t>();
  fail<DomainError>(where, "x", expected,
                    c10::str(x[row][column].item<double>(), " at row ", row, ", column ", column),
                    remedy);
}

}  // namespace contraflow
