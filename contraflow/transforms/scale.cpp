#include "contraflow/transforms/scale.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/affine_lowering.h"

namespace contraflow {

Scale::Scale(ScaleOptions options)
    : options_(checked(std::move(options), "Scale")), axis_(options_.event) {
  log_scale_ = register_parameter("log_scale", at::zeros({axis_.count()}));
}

nlohmann::ordered_json Scale::spec() const { return spec_of<Scale>(options_); }

std::optional<double> Scale::forward_lipschitz() const {
  return std::exp(log_scale_.max().item<double>());
}

std::optional<double> Scale::inverse_lipschitz() const {
  return std::exp(-log_scale_.min().item<double>());
}

TransformOutput Scale::do_forward(const at::Tensor& x, const Context& /*context*/) const {
  return {x * axis_.view(log_scale_.exp()), axis_.log_det(log_scale_, x.size(0)), {}, {}};
}

TransformOutput Scale::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  return {
      z * axis_.view(log_scale_.neg().exp()), axis_.log_det(log_scale_, z.size(0)).neg(), {}, {}};
}

bool Scale::lower(TileLowering& to, const Context& /*context*/, bool inverse) const {
  return lower_trained_affine(to, {}, log_scale_, inverse);
}

}  // namespace contraflow
