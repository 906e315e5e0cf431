#include "contraflow/distributions/normal.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace contraflow {

Normal::Normal(NormalOptions options) : options_(options) {
  check_options(options_, "Normal");
  anchor_ = register_buffer("anchor", at::zeros({}));
}

at::TensorOptions Normal::tensor_options() const { return anchor_.options(); }

at::Tensor Normal::do_log_prob(const at::Tensor& z) const {
  const double constant =
      0.5 * static_cast<double>(options_.dim) * std::log(2.0 * std::numbers::pi);
  return -0.5 * z.square().sum(1) - constant;
}

at::Tensor Normal::do_sample(int64_t count, const Rng& rng, double temperature) const {
  return temperature * rng.normal({count, options_.dim}, tensor_options());
}

}  // namespace contraflow
