#include "contraflow/transforms/feature_bounds.h"

#include <ATen/ATen.h>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"

namespace contraflow {

at::Tensor per_feature(std::string_view where, std::string_view name,
                       const std::vector<double>& values, int64_t features) {
  const auto count = static_cast<int64_t>(values.size());
  if (count != 1 && count != features) {
    fail<ConfigError>(where, name, c10::str("1 or ", features, " values"),
                      c10::str(count, " values"),
                      "Give one value for all features (columns, channels) or one per feature.");
  }
  const at::Tensor out = at::tensor(values, at::kDouble);
  return count == features ? out : out.repeat({features});
}

void check_none_bad(std::string_view where, const at::Tensor& x, const at::Tensor& bad,
                    std::string_view expected, std::string_view remedy) {
  const auto found = first_bad(x, bad);
  if (!found) return;
  fail<DomainError>(where, "x", expected, c10::str(found->value, " at ", found->text()), remedy);
}

}  // namespace contraflow
