#include "contraflow/networks/conv_rule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/networks/conv_norm.h"

namespace contraflow {

NormPair ConvRule::empty_pair(at::IntArrayRef sizes) const {
  return empty_conv_pair(sizes[0], sizes[1]);
}

NormInterval ConvRule::update(const at::Tensor& weight, NormPair& pair) const {
  return update_conv_norm(weight, frequencies_, pair, method_, tolerance_);
}

// sigma = u* T(f) v is real, so that d sigma / d W_tap = Re(conj(u) v^T exp(2 pi i f . tap)).
at::Tensor ConvRule::slope(const NormPair& pair, const at::Tensor& weight) const {
  at::Tensor out = at::zeros(weight.sizes(), at::kDouble);
  const ConvPair reached = read_conv_pair(pair, frequencies_);
  if (!reached.right.defined()) return out.to(weight.options());
  const at::Tensor outer = at::outer(reached.left.conj(), reached.right);
  const at::Tensor phases = frequencies_.phases(reached.frequency);
  frequencies_.used(out).copy_(at::real(outer.view({outer.size(0), outer.size(1), 1, 1}) * phases));
  return out.to(weight.options());
}

double ConvRule::drift(const at::Tensor& change) const {
  // Each tap is a matrix and a move; 1 + 1e-6 covers the rounding of the difference.
  const at::Tensor taps = change.detach().to(at::kDouble).square().sum(at::IntArrayRef{0, 1});
  return taps.sqrt().sum().item<double>() * (1 + 1e-6);
}

double ConvRule::rounding_gain(at::IntArrayRef sizes) const {
  // The sum over taps of |E_tap|_F is at most u k times the root of the sum of |W_tap|_F^2, which by
  // Parseval is the mean of |T(f)|_F^2 and so at most rank |T|^2.
  const auto rank = static_cast<double>(std::min(sizes[0], sizes[1]));
  return static_cast<double>(sizes[2]) * std::sqrt(rank);
}

double ConvRule::reached(const at::Tensor& slope, const at::Tensor& weight, double lower) const {
  const at::Tensor along = slope.to(at::kDouble) * weight.detach().to(at::kDouble);
  return std::max(lower, along.sum().item<double>());
}

}  // namespace contraflow
