#include "contraflow/networks/lipschitz_linear.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "contraflow/core/rng.h"
#include "contraflow/networks/induced_norm.h"
#include "contraflow/networks/net_lowering.h"
#include "contraflow/networks/norm_orders.h"

namespace contraflow {
namespace {

enum BoundsField { kLower, kUpper, kDrift, kCalls, kFieldCount };

// Rounding of s W to float32 moves the norm by up to 2^-24 sqrt(rank) relative; 2^-20 covers ranks
// to 256 exactly and beyond that in every case but adversarial ones of equal sign.
double dtype_margin(at::ScalarType type, int64_t rank) {
  const double unit = type == at::kFloat ? 0x1p-24 : 0x1p-53;
  return 1.0 - 2.0 * unit * std::sqrt(static_cast<double>(rank));
}

at::Tensor flatten_probes(const at::Tensor& t) { return t.reshape({-1, t.size(-1)}); }

}  // namespace

LipschitzLinear::LipschitzLinear(const LipschitzLinearOptions& options) : options_(options) {
  const int64_t o = options_.outputs;
  const int64_t i = options_.inputs;
  weight_ = register_parameter("weight", at::zeros({o, i}));
  bias_ = register_parameter("bias", at::zeros({o}));
  if (options_.condition > 0) {
    condition_weight_ = register_parameter("condition_weight", at::zeros({o, options_.condition}));
  }
  const auto f64 = at::TensorOptions().dtype(at::kDouble);
  bounds_ = register_buffer("bounds", at::zeros({kFieldCount}, f64));
  left_ = register_buffer("left", at::zeros({o}, f64));
  right_ = register_buffer("right", at::zeros({i}, f64));
  if (has_spectral_cap()) {
    spectral_bounds_ = register_buffer("spectral_bounds", at::zeros({2}, f64));
    spectral_left_ = register_buffer("spectral_left", at::zeros({o}, f64));
    spectral_right_ = register_buffer("spectral_right", at::zeros({i}, f64));
  }
  if (options_.refresh_every > 1) snapshot_ = register_buffer("snapshot", at::zeros({o, i}));
}

void LipschitzLinear::initialise(const Rng& rng, double gain) {
  const double limit = gain / std::sqrt(static_cast<double>(options_.inputs));
  const auto draw = [&](std::string_view tag, const at::Tensor& target, double bound) {
    at::NoGradGuard guard;
    target.copy_(rng.fork(tag).uniform(target.sizes(), at::kDouble).mul(2).sub(1).mul(bound));
  };
  draw("weight", weight_, limit);
  draw("bias", bias_, limit);
  if (condition_weight_.defined()) {
    draw("condition_weight", condition_weight_,
         1 / std::sqrt(static_cast<double>(options_.condition)));
  }
  refresh(true);
}

void LipschitzLinear::refresh(bool force) {
  auto* b = bounds_.data_ptr<double>();
  const bool due = force || options_.orders || b[kUpper] == 0 ||
                   b[kCalls] + 1 >= static_cast<double>(options_.refresh_every);
  if (!due) {
    b[kCalls] += 1;
    // Frobenius norm bounds the spectral norm of the change; 1 + 1e-6 covers the rounding of the
    // sum.
    b[kDrift] = (weight_ - snapshot_).norm().item<double>() * (1 + 1e-6);
    return;
  }
  const NormInterval found = update_norm();
  b[kLower] = found.lower;
  b[kUpper] = found.upper;
  b[kDrift] = 0;
  b[kCalls] = 0;
  if (has_spectral_cap()) {
    const NormInterval spectral = update_spectral_norm(weight_, spectral_left_, spectral_right_,
                                                       options_.norm, options_.norm_tolerance);
    auto* s = spectral_bounds_.data_ptr<double>();
    s[kLower] = spectral.lower;
    s[kUpper] = spectral.upper;
  }
  if (snapshot_.defined()) snapshot_.copy_(weight_.detach());
}

NormInterval LipschitzLinear::update_norm() {
  if (!options_.orders)
    return update_spectral_norm(weight_, left_, right_, options_.norm, options_.norm_tolerance);
  return update_induced_norm(weight_, left_, right_, input_order(), output_order(), options_.norm,
                             options_.norm_tolerance);
}

double LipschitzLinear::input_order() const {
  return options_.orders ? options_.orders->order(options_.node) : 2.0;
}

double LipschitzLinear::output_order() const {
  return options_.orders ? options_.orders->order(options_.node + 1) : 2.0;
}

bool LipschitzLinear::proven() const {
  if (has_spectral_cap()) return options_.norm != NormMethod::kEstimated;
  const double p = input_order(), q = output_order();
  const bool spectral = p == 2.0 && q == 2.0;
  if (options_.orders && (options_.orders->learnable() || !induced_norm_is_exact(p, q)))
    return false;
  return !spectral || options_.norm != NormMethod::kEstimated;
}

LipschitzLinear::Capped LipschitzLinear::own_norm() const {
  const auto* b = bounds_.const_data_ptr<double>();
  return {options_.cap, b[kLower] + b[kDrift], b[kUpper] + b[kDrift], left_, right_};
}

LipschitzLinear::Capped LipschitzLinear::spectral_norm() const {
  const NormInterval bounds = spectral_bounds();
  return {options_.spectral_cap, bounds.lower, bounds.upper, spectral_left_, spectral_right_};
}

NormInterval LipschitzLinear::spectral_bounds() const {
  const auto* b = spectral_bounds_.const_data_ptr<double>();
  return {b[kLower], b[kUpper]};
}

double LipschitzLinear::margin() const {
  return dtype_margin(weight_.scalar_type(), std::min(options_.inputs, options_.outputs));
}

double LipschitzLinear::scale_within(const Capped& norm) const {
  const double cap = norm.cap * margin();
  return norm.upper <= cap ? 1.0 : cap / norm.upper;
}

bool LipschitzLinear::spectral_cap_binds() const {
  return has_spectral_cap() && scale_within(spectral_norm()) < scale_within(own_norm());
}

double LipschitzLinear::scale() const {
  const double own = scale_within(own_norm());
  return has_spectral_cap() ? std::min(own, scale_within(spectral_norm())) : own;
}

double LipschitzLinear::spectral_lipschitz() const {
  return std::min(options_.spectral_cap, spectral_bounds().upper * scale() / margin());
}

double LipschitzLinear::lipschitz() const {
  const auto* b = bounds_.data_ptr<double>();
  return std::min(options_.cap, b[kUpper] + b[kDrift]);
}

NormBounds LipschitzLinear::bounds() const {
  const auto* b = bounds_.data_ptr<double>();
  return {std::max(0.0, b[kLower] - b[kDrift]), b[kUpper] + b[kDrift], left_, right_};
}

at::Tensor LipschitzLinear::effective_weight() const {
  const double s = scale();
  return s == 1.0 ? weight_.detach() : weight_.detach() * s;
}

double LipschitzLinear::spectral_proof() const {
  constexpr double kSlack = 1e-6;
  return spectral_norm_bounds(effective_weight(), {}, NormMethod::kCholesky, kSlack).upper;
}

void LipschitzLinear::bind(Tape& tape, const at::Tensor& condition) const {
  tape.weight = effective_weight();
  tape.shift = bias_.detach();
  if (condition_weight_.defined()) {
    tape.condition = condition.detach();
    tape.shift = at::addmm(tape.shift, tape.condition, condition_weight_.detach().t());
  }
}

at::Tensor LipschitzLinear::value(const Tape& tape, const at::Tensor& a) const {
  return at::addmm(tape.shift, a, tape.weight.t());
}

at::Tensor LipschitzLinear::record(Tape& tape, const at::Tensor& a) const {
  tape.input = a;
  return value(tape, a);
}

at::Tensor LipschitzLinear::jvp(Tape& tape, const at::Tensor& t, bool keep) const {
  if (keep) tape.tangent = t;
  return flatten_probes(t).mm(tape.weight.t()).view({t.size(0), t.size(1), outputs()});
}

at::Tensor LipschitzLinear::vjp(const Tape& tape, const at::Tensor& u) const {
  return flatten_probes(u).mm(tape.weight).view({u.size(0), u.size(1), inputs()});
}

Dual LipschitzLinear::dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                                   at::Tensor& condition_gradient) const {
  Dual down;
  at::Tensor weight_gradient;
  if (top.value.defined()) {
    down.value = top.value.mm(tape.weight);
    weight_gradient = top.value.t().mm(tape.input);
    gradients.add(bias_, top.value.sum(0));
    if (condition_weight_.defined()) {
      gradients.add(condition_weight_, top.value.t().mm(tape.condition));
      const at::Tensor term = top.value.mm(condition_weight_.detach());
      condition_gradient = condition_gradient.defined() ? condition_gradient + term : term;
    }
  }
  if (top.tangent.defined()) {
    down.tangent = vjp(tape, top.tangent);
    const at::Tensor e = flatten_probes(top.tangent);
    const at::Tensor t = flatten_probes(tape.tangent);
    weight_gradient =
        weight_gradient.defined() ? at::addmm(weight_gradient, e.t(), t) : e.t().mm(t);
  }
  if (weight_gradient.defined()) add_weight_gradient(weight_gradient, gradients);
  return down;
}

// W_eff = s W with s = cap / bound, bound = r sigma(W):  dL/dW = s (G - <G, W> / sigma  u v^T),
// with the pair of the norm whose cap binds.
void LipschitzLinear::add_weight_gradient(const at::Tensor& effective_gradient,
                                          GradientMap& gradients) const {
  const double s = scale();
  if (s == 1.0) return gradients.add(weight_, effective_gradient);
  const at::Tensor w = weight_.detach();
  const Capped norm = binding_norm();
  // With a drift the bound's own derivative is no longer the pair's alone; the pair still gives the
  // part that grows with W.
  const double along = effective_gradient.mul(w).sum().item<double>() / norm.lower;
  const at::Tensor pair = at::outer(norm.left, norm.right).to(w.options());
  gradients.add(weight_, effective_gradient.sub(pair, along).mul_(s));
  if (options_.orders && options_.orders->learnable() && !spectral_cap_binds())
    add_order_gradient(-s * effective_gradient.mul(w).sum().item<double>(), gradients);
}

// The scale is c over the norm, and the norm moves with both orders.
void LipschitzLinear::add_order_gradient(double by_log_norm, GradientMap& gradients) const {
  const OrderSlopes slopes = order_slopes();
  options_.orders->add_gradient(options_.node, by_log_norm * slopes.by_input, gradients);
  options_.orders->add_gradient(options_.node + 1, by_log_norm * slopes.by_output, gradients);
}

OrderSlopes LipschitzLinear::order_slopes() const {
  return log_norm_slopes(left_, right_, input_order(), output_order());
}

bool LipschitzLinear::lower(NetLowering& to) const { return to.add_linear(*this); }

template <class T>
void LipschitzLinear::add_norm_gradient(double factor, T* gradient) const {
  const Capped norm = binding_norm();
  const double per_sigma = factor / norm.lower;
  const auto* u = norm.left.const_data_ptr<double>();
  const auto* v = norm.right.const_data_ptr<double>();
  for (int64_t o = 0; o < options_.outputs; ++o) {
    const double scaled = per_sigma * u[o];
    for (int64_t i = 0; i < options_.inputs; ++i)
      gradient[o * options_.inputs + i] += static_cast<T>(scaled * v[i]);
  }
}
template void LipschitzLinear::add_norm_gradient(double, float*) const;
template void LipschitzLinear::add_norm_gradient(double, double*) const;

template <class Convert>
void LipschitzLinear::convert(Convert to_base) {
  at::Tensor* const proofs[] = {&bounds_,          &left_,          &right_,
                                &spectral_bounds_, &spectral_left_, &spectral_right_};
  std::vector<at::Tensor> kept;
  for (const at::Tensor* proof : proofs)
    kept.push_back(proof->defined() ? proof->clone() : at::Tensor());
  to_base();
  for (size_t k = 0; k < kept.size(); ++k) {
    if (kept[k].defined()) proofs[k]->set_data(kept[k]);
  }
  refresh(true);  // rounding changed the weights
}

void LipschitzLinear::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  convert([&] { Layer::to(device, dtype, non_blocking); });
}
void LipschitzLinear::to(torch::Dtype dtype, bool non_blocking) {
  convert([&] { Layer::to(dtype, non_blocking); });
}
void LipschitzLinear::to(torch::Device device, bool non_blocking) {
  convert([&] { Layer::to(device, non_blocking); });
}

}  // namespace contraflow
