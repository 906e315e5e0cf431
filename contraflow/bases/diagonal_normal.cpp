#include "contraflow/bases/diagonal_normal.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "contraflow/core/registry_entry.h"

namespace contraflow {

DiagonalNormal::DiagonalNormal(DiagonalNormalOptions options) : options_(options) {
  check_options(options_, "DiagonalNormal");
  location_ = register_parameter("location", at::zeros(options_.event.sizes()));
  log_scale_ = register_parameter("log_scale", at::zeros(options_.event.sizes()));
}

nlohmann::ordered_json DiagonalNormal::spec() const { return spec_of<DiagonalNormal>(options_); }

at::TensorOptions DiagonalNormal::tensor_options() const { return location_.options(); }

at::Tensor DiagonalNormal::do_log_prob(const at::Tensor& z) const {
  const double constant =
      0.5 * static_cast<double>(options_.event.size()) * std::log(2.0 * std::numbers::pi);
  const at::Tensor noise = (z - location_) * log_scale_.neg().exp();
  return -0.5 * noise.square().flatten(1).sum(1) - log_scale_.sum() - constant;
}

at::Tensor DiagonalNormal::do_sample(int64_t count, const Rng& rng, double temperature) const {
  const at::Tensor noise = rng.normal(batch_shape(count), tensor_options());
  return location_ + temperature * log_scale_.exp() * noise;
}

}  // namespace contraflow
