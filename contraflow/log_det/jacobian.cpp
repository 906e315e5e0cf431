#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/error.h"
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
  constexpr int64_t kMostRows = 1 << 15;  // rows of one product: larger ones leave the cache
  const int64_t b = point.value().size(0);
  const int64_t d = point.value().size(1);
  check_size(b, d);
  const at::Tensor eye = at::eye(d, point.value().options());
  const int64_t chunk = std::clamp<int64_t>(kMostRows / std::max<int64_t>(b, 1), 1, d);
  std::vector<at::Tensor> columns;
  for (int64_t k = 0; k < d; k += chunk) {
    const int64_t count = std::min(chunk, d - k);
    columns.push_back(point.jvp(eye.narrow(0, k, count).unsqueeze(1).expand({count, b, d})));
  }
  return (columns.size() == 1 ? columns[0] : at::cat(columns)).permute({1, 2, 0});
}

}  // namespace contraflow
