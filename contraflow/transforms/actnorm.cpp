#include "contraflow/transforms/actnorm.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/feature_statistics.h"
#include "contraflow/transforms/lowering.h"

namespace contraflow {

ActNorm::ActNorm(ActNormOptions options)
    : options_(checked(std::move(options), "ActNorm")), axis_(options_.event) {
  shift_ = register_parameter("shift", at::zeros({axis_.count()}));
  log_scale_ = register_parameter("log_scale", at::zeros({axis_.count()}));
  initialized_ = register_buffer("initialized", at::zeros({}));
}

nlohmann::ordered_json ActNorm::spec() const { return spec_of<ActNorm>(options_); }

bool ActNorm::prepare_needs_data() const { return initialized_.item<double>() == 0.0; }

std::optional<double> ActNorm::forward_lipschitz() const {
  return std::exp(log_scale_.max().item<double>());
}

std::optional<double> ActNorm::inverse_lipschitz() const {
  return std::exp(-log_scale_.min().item<double>());
}

TransformOutput ActNorm::do_forward(const at::Tensor& x, const Context& /*context*/) const {
  return {(x + axis_.view(shift_)) * axis_.view(log_scale_.exp()),
          axis_.log_det(log_scale_, x.size(0)),
          {},
          {}};
}

TransformOutput ActNorm::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  return {z * axis_.view(log_scale_.neg().exp()) - axis_.view(shift_),
          axis_.log_det(log_scale_, z.size(0)).neg(),
          {},
          {}};
}

// scale = e^l, shift = s e^l forward; scale = e^-l, shift = -s back. The log-determinant adds the
// sum of its weights to each l.
bool ActNorm::lower(TileLowering& to, const Context& /*context*/, bool inverse) const {
  if (shift_.dtype() != to.options.dtype()) return false;  // gradients are of the run's type
  kernels::TileAffine affine;
  affine.gradient_begin = to.program.gradient_size;
  const std::vector<double> shift = to_doubles(shift_), log_scale = to_doubles(log_scale_);
  const double sign = inverse ? -1.0 : 1.0;
  double most = 0.0;
  for (size_t k = 0; k < shift.size(); ++k) {
    const double scale = std::exp(sign * log_scale[k]);
    affine.scale.push_back(scale);
    affine.shift.push_back(inverse ? -shift[k] : shift[k] * scale);
    affine.log_det += sign * log_scale[k];
    most = std::max(most, scale);
  }
  affine.lipschitz = most;
  const size_t slot = to.parameters.size();
  to.parameters.push_back(shift_);
  to.parameters.push_back(log_scale_);
  to.tasks.push_back([slot, sign, shift, scale = affine.scale,
                      begin = affine.gradient_begin](const LoweredGradients& g) {
    AT_DISPATCH_FLOATING_TYPES(g.dtype, "lowered_actnorm_gradient", [&] {
      const auto* by_scale = static_cast<const scalar_t*>(g.program) + begin;
      const auto* by_shift = by_scale + scale.size();
      for (size_t k = 0; k < scale.size(); ++k) {
        const double a = by_scale[k], b = by_shift[k];
        const double of_shift = sign > 0 ? b * scale[k] : -b;
        const double of_scale = sign * a * scale[k] + (sign > 0 ? b * shift[k] * scale[k] : 0.0);
        static_cast<scalar_t*>(g.slots[slot])[k] += static_cast<scalar_t>(of_shift);
        static_cast<scalar_t*>(g.slots[slot + 1])[k] +=
            static_cast<scalar_t>(of_scale + sign * g.log_det_bar);
      }
    });
  });
  to.program.gradient_size += 2 * axis_.count();
  to.program.steps.emplace_back(std::move(affine));
  return true;
}

void ActNorm::do_prepare(const at::Tensor& x, const Context& /*context*/) {
  if (!prepare_needs_data()) return;
  const FeatureStatistics statistics = feature_statistics("ActNorm.prepare", x);
  shift_.copy_(statistics.mean.neg());
  log_scale_.copy_(statistics.deviation.log().neg());
  initialized_.fill_(1.0);
}

}  // namespace contraflow
