#include "contraflow/networks/norm_rule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace contraflow {

NormPair NormRule::empty_pair(at::IntArrayRef sizes) const {
  return {at::zeros({sizes[0]}, at::kDouble), at::zeros({sizes[1]}, at::kDouble)};
}

at::Tensor NormRule::slope(const NormPair& pair, const at::Tensor& weight) const {
  return at::outer(pair.left, pair.right).to(weight.options());
}

double NormRule::reached(const at::Tensor& /*slope*/, const at::Tensor& /*weight*/,
                         double lower) const {
  return lower;
}

double NormRule::drift(const at::Tensor& change) const {
  // The Frobenius norm bounds the spectral norm; 1 + 1e-6 covers the rounding of its sum.
  return change.norm().item<double>() * (1 + 1e-6);
}

double NormRule::rounding_gain(at::IntArrayRef sizes) const {
  // |E|_F <= u |W|_F <= u sqrt(rank) |W|
  return std::sqrt(static_cast<double>(std::min(sizes[0], sizes[1])));
}

void NormRule::add_gradient(const NormPair& /*pair*/, double /*by_log_norm*/,
                            GradientMap& /*gradients*/) const {}

NormInterval SpectralRule::update(const at::Tensor& weight, NormPair& pair) const {
  return update_spectral_norm(weight, pair.left, pair.right, method_, tolerance_);
}

}  // namespace contraflow
