#include "contraflow/transforms/actnorm.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/affine_lowering.h"
#include "contraflow/transforms/feature_statistics.h"

namespace contraflow {

ActNorm::ActNorm(ActNormOptions options)
    : options_(checked(std::move(options), "ActNorm")),
      axis_(options_.each_number ? FeatureAxis::of_numbers(options_.event)
                                 : FeatureAxis(options_.event)) {
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

bool ActNorm::lower(TileLowering& to, const Context& /*context*/, bool inverse) const {
  if (!options_.event.is_row()) return false;  // the tile kernels have a number for each feature
  return lower_trained_affine(to, shift_, log_scale_, inverse);
}

void ActNorm::do_prepare(const at::Tensor& x, const Context& /*context*/) {
  if (!prepare_needs_data()) return;
  start_from(options_.each_number ? x.flatten(1) : x);
  initialized_.fill_(1.0);
}

void ActNorm::start_from(const at::Tensor& x) {
  constexpr const char* kWhere = "ActNorm.prepare";
  const bool any = options_.variance_floor > 0.0;
  const FeatureStatistics statistics =
      any ? statistics_of_any_feature(kWhere, x) : feature_statistics(kWhere, x);
  const at::Tensor deviation =
      any ? statistics.deviation.clamp_min(std::sqrt(options_.variance_floor))
          : statistics.deviation;
  shift_.copy_(statistics.mean.neg());
  log_scale_.copy_(deviation.log().neg());
}

}  // namespace contraflow
