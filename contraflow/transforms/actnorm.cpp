#include "contraflow/transforms/actnorm.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/transforms/column_statistics.h"

namespace contraflow {

ActNorm::ActNorm(ActNormOptions options) : options_(options) {
  check_options(options_, "ActNorm");
  shift_ = register_parameter("shift", at::zeros({options_.dim}));
  log_scale_ = register_parameter("log_scale", at::zeros({options_.dim}));
  initialized_ = register_buffer("initialized", at::zeros({}));
}

bool ActNorm::prepare_needs_data() const { return initialized_.item<double>() == 0.0; }

std::optional<double> ActNorm::forward_lipschitz() const {
  return std::exp(log_scale_.max().item<double>());
}

std::optional<double> ActNorm::inverse_lipschitz() const {
  return std::exp(-log_scale_.min().item<double>());
}

TransformOutput ActNorm::do_forward(const at::Tensor& x, const Context& /*context*/) const {
  return {(x + shift_) * log_scale_.exp(), log_scale_.sum().repeat({x.size(0)}), {}, {}};
}

TransformOutput ActNorm::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  return {z * log_scale_.neg().exp() - shift_, log_scale_.sum().neg().repeat({z.size(0)}), {}, {}};
}

void ActNorm::do_prepare(const at::Tensor& x, const Context& /*context*/) {
  if (!prepare_needs_data()) return;
  const ColumnStatistics statistics = column_statistics("ActNorm.prepare", x);
  shift_.copy_(statistics.mean.neg());
  log_scale_.copy_(statistics.deviation.log().neg());
  initialized_.fill_(1.0);
}

}  // namespace contraflow
