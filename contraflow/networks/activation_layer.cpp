#include "contraflow/networks/activation_layer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "contraflow/kernels/activation_reverse.h"
#include "contraflow/networks/net_lowering.h"

namespace contraflow {
namespace {

constexpr double kInitialRawBeta = 0.5;  // the papers' start: beta = softplus(0.5) = 0.974

// Pixels are many and go through fused passes. Rows keep the order of operations that seeded
// trainings have.
bool has_pixels(const at::Tensor& a) { return a.dim() > 2; }

ActivationDown rows_reverse(Activation kind, const Tape& tape, const ActivationTop& above) {
  ActivationJet jet;  // once more, with what only a reverse pass needs
  const bool bends = above.tangent.defined();
  if (bends || has_beta(kind)) jet = activation_jet(kind, tape.input, tape.weight, bends ? 2 : 0);
  jet.slope = tape.slope;
  return activation_reverse_composed(jet, tape.input, tape.weight, above);
}

}  // namespace

ActivationLayer::ActivationLayer(Activation kind, int64_t features)
    : kind_(kind), features_(features) {
  if (has_beta(kind_)) raw_beta_ = register_parameter("raw_beta", at::full({}, kInitialRawBeta));
}

at::Tensor ActivationLayer::beta() const {
  return raw_beta_.defined() ? at::softplus(raw_beta_.detach()) : at::Tensor();
}

bool ActivationLayer::lower(NetLowering& to) const { return to.add_activation(*this); }

double ActivationLayer::raw_value() const {
  const at::Tensor raw = raw_beta_.detach();
  if (!raw.is_cpu()) return raw.item<double>();
  return raw.scalar_type() == at::kDouble ? *raw.const_data_ptr<double>()
                                          : static_cast<double>(*raw.const_data_ptr<float>());
}

double ActivationLayer::beta_value() const {
  const double raw = raw_value();
  return std::max(raw, 0.0) + std::log1p(std::exp(-std::abs(raw)));
}

double ActivationLayer::beta_chain() const { return 1 / (1 + std::exp(-raw_value())); }

void ActivationLayer::bind(Tape& tape, const at::Tensor& /*condition*/) const {
  tape.weight = beta();
}

at::Tensor ActivationLayer::value(const Tape& tape, const at::Tensor& a) const {
  return activation_jet(kind_, a, tape.weight, 0).value;
}

at::Tensor ActivationLayer::record(Tape& tape, const at::Tensor& a) const {
  const ActivationJet jet = activation_jet(kind_, a, tape.weight, 1);
  tape.slope = jet.slope;
  tape.input = a;
  return jet.value;
}

at::Tensor ActivationLayer::jvp(Tape& tape, const at::Tensor& t, bool keep) const {
  if (keep) tape.tangent = t;
  return has_pixels(tape.slope) ? slope_jvp(tape.slope, t) : slope_jvp_composed(tape.slope, t);
}

at::Tensor ActivationLayer::vjp(const Tape& tape, const at::Tensor& u) const {
  return has_pixels(tape.slope) ? slope_vjp(tape.slope, u, features_)
                                : slope_vjp_composed(tape.slope, u, features_);
}

Dual ActivationLayer::dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                                   at::Tensor& /*condition_gradient*/) const {
  const ActivationTop above{top.value, top.tangent, tape.tangent};
  const ActivationDown below = has_pixels(tape.input)
                                   ? activation_reverse(kind_, tape.input, tape.weight, above)
                                   : rows_reverse(kind_, tape, above);
  if (below.beta.defined()) gradients.add(raw_beta_, below.beta * at::sigmoid(raw_beta_.detach()));
  return {below.value, below.tangent};
}

}  // namespace contraflow
