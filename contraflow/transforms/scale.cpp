#include "contraflow/transforms/scale.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/feature_statistics.h"
#include "contraflow/transforms/lowering.h"

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

// e^l forward, e^-l back. The log-determinant adds the sum of its weights to each l.
bool Scale::lower(TileLowering& to, const Context& /*context*/, bool inverse) const {
  if (log_scale_.dtype() != to.options.dtype()) return false;  // gradients are of the run's type
  const double sign = inverse ? -1.0 : 1.0;
  kernels::TileAffine affine;
  affine.gradient_begin = to.program.gradient_size;
  affine.lipschitz = 0.0;
  for (const double log_scale : to_doubles(log_scale_)) {
    affine.scale.push_back(std::exp(sign * log_scale));
    affine.shift.push_back(0.0);
    affine.log_det += sign * log_scale;
    affine.lipschitz = std::max(affine.lipschitz, affine.scale.back());
  }
  const size_t slot = to.parameters.size();
  to.parameters.push_back(log_scale_);
  to.tasks.push_back(
      [slot, sign, scale = affine.scale, begin = affine.gradient_begin](const LoweredGradients& g) {
        AT_DISPATCH_FLOATING_TYPES(g.dtype, "lowered_scale_gradient", [&] {
          const auto* by_scale = static_cast<const scalar_t*>(g.program) + begin;
          for (size_t k = 0; k < scale.size(); ++k) {
            const double of_log = sign * (by_scale[k] * scale[k] + g.log_det_bar);
            static_cast<scalar_t*>(g.slots[slot])[k] += static_cast<scalar_t>(of_log);
          }
        });
      });
  to.program.gradient_size += 2 * axis_.count();
  to.program.steps.emplace_back(std::move(affine));
  return true;
}

}  // namespace contraflow
