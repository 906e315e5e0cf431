#include "contraflow/networks/bounded_weight.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "contraflow/core/float64_buffers.h"
#include "contraflow/core/roundoff.h"

namespace contraflow {
namespace {

enum BoundsField { kLower, kUpper, kDrift, kCalls, kSeal, kFieldCount };

constexpr double kSealValue = 1.0 / 3.0;

// At least the relative error of every number that was cast along with this seal: a cast to nearest
// moves 1/3 by half of a unit roundoff in each floating type.
double cast_error(double seal) { return 4 * std::abs(3 * seal - 1); }

NormPair register_pair(torch::nn::Module& owner, const std::string& prefix, const NormPair& pair) {
  return {owner.register_buffer(prefix + "left", pair.left),
          owner.register_buffer(prefix + "right", pair.right)};
}

NormPair on_cpu(const NormPair& pair) {
  return {float64_on_cpu(pair.left), float64_on_cpu(pair.right)};
}

}  // namespace

BoundedWeight::BoundedWeight(torch::nn::Module& owner, at::IntArrayRef sizes,
                             BoundedWeightOptions options)
    : options_(std::move(options)) {
  weight_ = owner.register_parameter("weight", at::zeros(sizes));
  bounds_ = owner.register_buffer("bounds", at::zeros({kFieldCount}, at::kDouble));
  bounds_.data_ptr<double>()[kSeal] = kSealValue;
  pair_ = register_pair(owner, "", options_.rule->empty_pair(sizes));
  if (has_spectral_cap()) {
    spectral_bounds_ = owner.register_buffer("spectral_bounds", at::zeros({2}, at::kDouble));
    spectral_pair_ = register_pair(owner, "spectral_", options_.spectral_rule->empty_pair(sizes));
  }
  if (options_.refresh_every > 1) {
    snapshot_ = owner.register_buffer("snapshot", at::zeros(sizes));
  }
}

bool BoundedWeight::due(bool force) const {
  const auto* b = bounds_.const_data_ptr<double>();
  return force || options_.rule->moves() || b[kUpper] == 0 || b[kSeal] != kSealValue ||
         b[kCalls] + 1 >= static_cast<double>(options_.refresh_every);
}

void BoundedWeight::start(bool bounded) {
  constexpr int64_t kMostAtOnce = int64_t{1} << 16;
  if (bounded || weight_.numel() <= kMostAtOnce || has_spectral_cap()) return refresh(true);
  auto* b = bounds_.data_ptr<double>();
  b[kUpper] = std::numeric_limits<double>::infinity();
  b[kCalls] = static_cast<double>(options_.refresh_every);
}

bool BoundedWeight::waiting() const {
  return std::isinf(float64_on_cpu(bounds_).const_data_ptr<double>()[kUpper]);
}

void BoundedWeight::refresh(bool force) {
  restore_buffers();
  auto* b = bounds_.data_ptr<double>();
  if (!due(force)) {
    b[kCalls] += 1;
    b[kDrift] = options_.rule->drift(weight_ - snapshot_);
    return;
  }
  const NormInterval found = options_.rule->update(weight_, pair_);
  b[kLower] = found.lower;
  b[kUpper] = found.upper;
  b[kDrift] = 0;
  b[kCalls] = 0;
  b[kSeal] = kSealValue;
  if (has_spectral_cap()) {
    const NormInterval spectral = options_.spectral_rule->update(weight_, spectral_pair_);
    auto* s = spectral_bounds_.data_ptr<double>();
    s[kLower] = spectral.lower;
    s[kUpper] = spectral.upper;
  }
  if (snapshot_.defined()) take_snapshot();
}

// The snapshot has the weight's type: a narrower one would round it, and the drift miss that.
void BoundedWeight::take_snapshot() {
  if (snapshot_.options().type_equal(weight_.options())) {
    snapshot_.copy_(weight_.detach());
  } else {
    snapshot_.set_data(weight_.detach().clone());
  }
}

void BoundedWeight::restore_buffers() {
  for (at::Tensor& buffer : float64_buffers()) restore_float64(buffer);
}

std::vector<at::Tensor> BoundedWeight::float64_buffers() const {
  std::vector<at::Tensor> out = {bounds_, pair_.left, pair_.right};
  if (has_spectral_cap())
    out.insert(out.end(), {spectral_bounds_, spectral_pair_.left, spectral_pair_.right});
  return out;
}

NormPair BoundedWeight::pair() const { return on_cpu(pair_); }

BoundedWeight::Capped BoundedWeight::own_norm() const {
  const at::Tensor bounds = float64_on_cpu(bounds_);
  const auto* b = bounds.const_data_ptr<double>();
  return after_cast({options_.cap, b[kLower] + b[kDrift], b[kUpper] + b[kDrift]});
}

BoundedWeight::Capped BoundedWeight::spectral_norm() const {
  const at::Tensor bounds = float64_on_cpu(spectral_bounds_);
  const auto* b = bounds.const_data_ptr<double>();
  return after_cast({options_.spectral_cap, b[kLower], b[kUpper]});
}

// The cast may have lowered the bound, and moved the weight that it is about.
BoundedWeight::Capped BoundedWeight::after_cast(const Capped& norm) const {
  const double error = cast_error(float64_on_cpu(bounds_).const_data_ptr<double>()[kSeal]);
  if (error == 0) return norm;
  const double relative = error * (1 + options_.rule->rounding_gain(weight_.sizes()));
  // Numbers of half precision end at 2^-24.
  const bool is_narrow = error > 4 * unit_roundoff(at::kFloat);
  const double absolute =
      is_narrow ? 0x1p-24 * (1 + std::sqrt(static_cast<double>(weight_.numel()))) : 0;
  return {norm.cap, norm.lower, norm.upper * (1 + relative) + absolute};
}

double BoundedWeight::margin() const {
  return 1.0 -
         2.0 * unit_roundoff(weight_.scalar_type()) * options_.rule->rounding_gain(weight_.sizes());
}

double BoundedWeight::scale_within(const Capped& norm) const {
  const double cap = norm.cap * margin();
  return norm.upper <= cap ? 1.0 : cap / norm.upper;
}

double BoundedWeight::scale() const {
  const double own = scale_within(own_norm());
  return has_spectral_cap() ? std::min(own, scale_within(spectral_norm())) : own;
}

at::Tensor BoundedWeight::effective() const {
  const double s = scale();
  return s == 1.0 ? weight_.detach() : weight_.detach() * s;
}

double BoundedWeight::lipschitz() const {
  if (!has_spectral_cap()) return std::min(options_.cap, own_norm().upper);
  return std::min(options_.spectral_cap, spectral_norm().upper * scale() / margin());
}

bool BoundedWeight::proven() const {
  return has_spectral_cap() ? options_.spectral_rule->proven() : options_.rule->proven();
}

NormBounds BoundedWeight::bounds() const {
  const at::Tensor bounds = float64_on_cpu(bounds_);
  const auto* b = bounds.const_data_ptr<double>();
  const Capped norm = own_norm();
  const double widened = norm.upper - (b[kUpper] + b[kDrift]);
  const NormPair reached = pair();
  return {std::max(0.0, b[kLower] - b[kDrift] - widened), norm.upper, reached.left, reached.right};
}

LayerBound BoundedWeight::line(const std::string& name) const {
  const double s = scale();
  if (has_spectral_cap()) return {name, spectral_norm().lower * s, lipschitz(), proven()};
  return {name,     bounds().lower * s,           lipschitz(),
          proven(), options_.rule->input_order(), options_.rule->output_order()};
}

BoundedWeight::Binding BoundedWeight::binding() const {
  const Capped own = own_norm();
  if (has_spectral_cap()) {
    const Capped spectral = spectral_norm();
    if (scale_within(spectral) < scale_within(own))
      return {spectral.lower, on_cpu(spectral_pair_), true};
  }
  return {own.lower, pair(), false};
}

// W_eff = s W with s = cap / bound, bound = r sigma(W):  dL/dW = s (G - <G, W> / sigma  slope).
void BoundedWeight::add_gradient(const at::Tensor& by_effective, GradientMap& gradients) const {
  const double s = scale();
  if (s == 1.0) return gradients.add(weight_, by_effective);
  if (s == 0.0) return gradients.add(weight_, at::zeros_like(by_effective));  // waiting
  const at::Tensor w = weight_.detach();
  const Binding norm = binding();
  const NormRule& rule = norm.spectral ? *options_.spectral_rule : *options_.rule;
  const double along = by_effective.mul(w).sum().item<double>();
  // With a drift the bound's own derivative is no longer the pair's alone; the pair still gives the
  // part that grows with W.
  const at::Tensor slope = rule.slope(norm.pair, w);
  const double sigma = rule.reached(slope, w, norm.sigma);
  gradients.add(weight_, by_effective.sub(slope, along / sigma).mul_(s));
  rule.add_gradient(norm.pair, -s * along, gradients);
}

}  // namespace contraflow
