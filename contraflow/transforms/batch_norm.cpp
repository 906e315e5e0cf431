#include "contraflow/transforms/batch_norm.h"

#include <ATen/ATen.h>

#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/feature_statistics.h"

namespace contraflow {

BatchNorm::BatchNorm(BatchNormOptions options)
    : options_(checked(std::move(options), "BatchNorm")), axis_(options_.event) {
  shift_ = register_parameter("shift", at::zeros({axis_.count()}));
  log_scale_ = register_parameter("log_scale", at::zeros({axis_.count()}));
  mean_ = register_buffer("mean", at::zeros({axis_.count()}));
  variance_ = register_buffer("variance", at::ones({axis_.count()}));
  calls_ = register_buffer("calls", at::full({}, -1.0));
}

nlohmann::ordered_json BatchNorm::spec() const { return spec_of<BatchNorm>(options_); }

bool BatchNorm::prepare_needs_data() const {
  const double calls = calls_.item<double>();
  return calls < 0.0 || calls + 1.0 >= static_cast<double>(options_.update_every);
}

void BatchNorm::defer_calibration() {
  if (calls_.item<double>() >= 0.0) calls_.fill_(0.0);
}

at::Tensor BatchNorm::log_slope() const {
  return log_scale_ - (variance_ + options_.epsilon).log() / 2;
}

std::optional<double> BatchNorm::forward_lipschitz() const {
  return log_slope().exp().max().item<double>();
}

std::optional<double> BatchNorm::inverse_lipschitz() const {
  return log_slope().neg().exp().max().item<double>();
}

TransformOutput BatchNorm::do_forward(const at::Tensor& x, const Context& /*context*/) const {
  const at::Tensor slope = log_slope();
  return {(x - axis_.view(mean_)) * axis_.view(slope.exp()) + axis_.view(shift_),
          axis_.log_det(slope, x.size(0)),
          {},
          {}};
}

TransformOutput BatchNorm::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  const at::Tensor slope = log_slope();
  return {(z - axis_.view(shift_)) * axis_.view(slope.neg().exp()) + axis_.view(mean_),
          axis_.log_det(slope, z.size(0)).neg(),
          {},
          {}};
}

void BatchNorm::do_prepare(const at::Tensor& x, const Context& /*context*/) {
  if (!prepare_needs_data()) {
    calls_.add_(1.0);
    return;
  }
  if (calls_.item<double>() < 0.0) {
    const FeatureStatistics first = feature_statistics("BatchNorm.prepare", x);
    mean_.copy_(first.mean);
    variance_.copy_(first.deviation.square());
  } else if (x.size(0) > 1) {  // a last batch of one row has no variance to tell
    const at::Tensor wide = values_of_features(x).to(at::kDouble);
    mean_.lerp_(wide.mean(0).to(mean_.options()), options_.momentum);
    variance_.lerp_(wide.var(0, /*unbiased=*/true).to(variance_.options()), options_.momentum);
  }
  calls_.fill_(0.0);
}

}  // namespace contraflow
