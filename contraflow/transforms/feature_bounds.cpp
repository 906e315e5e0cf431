#include "contraflow/transforms/feature_bounds.h"

#include <ATen/ATen.h>

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
  if (!bad.any().item<bool>()) return;
  const at::Tensor first = bad.nonzero()[0];
  at::Tensor value = x;
  std::string place;
  for (int64_t axis = 0; axis < first.size(0); ++axis) {
    const int64_t index = first[axis].item<int64_t>();
    value = value[index];
    if (axis == 0) {
      place = c10::str("row ", index, x.dim() == 2 ? ", column " : ", pixel [");
    } else {
      place += c10::str(axis == 1 ? "" : ", ", index);
    }
  }
  if (x.dim() != 2) place += "]";
  fail<DomainError>(where, "x", expected, c10::str(value.item<double>(), " at ", place), remedy);
}

}  // namespace contraflow
