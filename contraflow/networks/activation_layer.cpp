#include "contraflow/networks/activation_layer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "contraflow/networks/net_lowering.h"

namespace contraflow {
namespace {

constexpr double kInitialRawBeta = 0.5;  // the papers' start: beta = softplus(0.5) = 0.974

// Adds the two halves of a concatenating activation, which read the same input.
at::Tensor fold(const at::Tensor& t, int64_t features) {
  if (t.size(-1) == features) return t;
  return t.narrow(-1, 0, features) + t.narrow(-1, features, features);
}

at::Tensor repeat(const at::Tensor& t, int64_t width) {
  return t.size(-1) == width ? t : at::cat({t, t}, -1);
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
  const at::Tensor s = repeat(t, outputs());
  if (keep) tape.tangent = s;
  return s * tape.slope;
}

at::Tensor ActivationLayer::vjp(const Tape& tape, const at::Tensor& u) const {
  return fold(u * tape.slope, features_);
}

Dual ActivationLayer::dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                                   at::Tensor& /*condition_gradient*/) const {
  Dual down;
  ActivationJet jet;   // once more, with what only a reverse pass needs
  at::Tensor bending;  // sum over probes of E s
  if (top.tangent.defined() || raw_beta_.defined())
    jet = activation_jet(kind_, tape.input, tape.weight, top.tangent.defined() ? 2 : 0);
  if (top.tangent.defined()) {
    down.tangent = fold(top.tangent * tape.slope, features_);
    bending = (top.tangent * tape.tangent).sum(0);
    down.value = bending * jet.curvature;
  }
  if (top.value.defined()) {
    down.value = down.value.defined() ? at::addcmul(down.value, top.value, tape.slope)
                                      : top.value * tape.slope;
  }
  if (down.value.defined()) down.value = fold(down.value, features_);
  if (raw_beta_.defined()) add_beta_gradient(tape, jet, top.value, bending, gradients);
  return down;
}

// phi(z; beta) = phi_1(beta z) / beta, hence  d phi / d beta = (z phi' - phi) / beta  and
// d phi' / d beta = z phi'' / beta.
void ActivationLayer::add_beta_gradient(const Tape& tape, const ActivationJet& jet,
                                        const at::Tensor& value_bar, const at::Tensor& bending,
                                        GradientMap& gradients) const {
  const at::Tensor z = repeat(tape.input, outputs());
  at::Tensor sum = at::zeros({}, z.options());
  if (value_bar.defined()) sum = sum + (value_bar * (z * tape.slope - jet.value)).sum();
  if (bending.defined()) sum = sum + (bending * z * jet.curvature).sum();
  gradients.add(raw_beta_, sum / tape.weight * at::sigmoid(raw_beta_.detach()));
}

}  // namespace contraflow
