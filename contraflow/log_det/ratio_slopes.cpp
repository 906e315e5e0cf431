#include "contraflow/log_det/ratio_slopes.h"

#include <ATen/ATen.h>

namespace contraflow {

at::Tensor zero_ratio_slopes(const at::Tensor& probes) {
  return at::zeros({2, probes.size(1)}, probes.options());
}

void add_ratio_slopes(const BlockForm& form, int power, const at::Tensor& traces,
                      at::Tensor& slopes) {
  const std::array<double, 2> factor = series_slopes(form, power);
  for (int64_t k = 0; k < 2; ++k)
    slopes.select(0, k).narrow(0, 0, traces.size(0)).add_(traces, factor[static_cast<size_t>(k)]);
}

at::Tensor unshifted_ratio_slopes(const BlockForm& form, double shift, int64_t dim,
                                  const at::Tensor& slopes) {
  const auto one = [&](int64_t k, double ratio, double sign) {
    const double growth = 1 + ratio * shift;
    const double constant = sign * static_cast<double>(dim) * shift / growth;
    return slopes[k] / (growth * growth) + constant;
  };
  return at::stack({one(0, form.b / form.a, -1.0), one(1, form.d / form.c, 1.0)});
}

}  // namespace contraflow
