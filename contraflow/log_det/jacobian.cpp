#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/error.h"
#include "contraflow/log_det/grid_jacobian.h"
#include "contraflow/log_det/log_det.h"

namespace contraflow {
namespace {

void check_size(int64_t b, int64_t d) {
  if (d == 0 || b <= kMostJacobianNumbers / d / d) return;
  fail<ConfigError>("exact", "log_det",
                    c10::str("Jacobians of at most ", kMostJacobianNumbers, " numbers"),
                    c10::str(b, " rows of ", d, " features, ", d, " x ", d, " each"),
                    "Evaluate fewer rows at a time, or use the estimator adaptive, krylov or "
                    "roulette.");
}

}  // namespace

at::Tensor jacobian(const NetPoint& point) {
  const int64_t b = point.value().size(0);
  const int64_t d = point.value().size(1);
  check_size(b, d);
  if (const std::optional<GridReach> reach = point.reach()) return grid_jacobian(point, *reach);
  return jvp_of_each(point, at::eye(d, point.value().options()), b).permute({1, 2, 0});
}

at::Tensor jvp_of_each(const NetPoint& point, const at::Tensor& tangents, int64_t rows_of_tangent) {
  constexpr int64_t kMostRows = 1 << 15;  // rows of one product: larger ones leave the cache
  const int64_t b = point.value().size(0), count = tangents.size(0), d = tangents.size(1);
  const int64_t chunk =
      std::clamp<int64_t>(kMostRows / std::max<int64_t>(rows_of_tangent, 1), 1, count);
  std::vector<at::Tensor> out;
  for (int64_t k = 0; k < count; k += chunk) {
    const int64_t some = std::min(chunk, count - k);
    out.push_back(point.jvp(tangents.narrow(0, k, some).unsqueeze(1).expand({some, b, d})));
  }
  return out.size() == 1 ? out[0] : at::cat(out);
}

}  // namespace contraflow
