#include "contraflow/networks/gram_spectrum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/rng.h"
#include "contraflow/networks/epsilon.h"

namespace contraflow {
namespace {

at::Tensor frobenius(const at::Tensor& m) {
  return at::linalg_vector_norm(m, 2, at::IntArrayRef{1, 2});
}

// Of each matrix [f, n, n], where a few steps of the power iteration from a fixed start arrive.
at::Tensor power_estimates(const at::Tensor& grams) {
  constexpr int kSteps = 8;
  const int64_t n = grams.size(1);
  const at::Tensor start = Rng(0).fork("power").normal({n, 2}, at::kDouble);
  at::Tensor x = at::view_as_complex(start).view({1, n, 1}).expand({grams.size(0), n, 1});
  at::Tensor length;
  for (int step = 0; step < kSteps; ++step) {
    x = at::bmm(grams, x);
    length = at::linalg_vector_norm(x, 2, at::IntArrayRef{1, 2}, /*keepdim=*/true);
    x = x / length.clamp_min(1e-300);
  }
  return length.flatten();
}

// lambda <= |G^(2^t)|_F^(1/2^t) of each matrix [f, n, n], in logarithms.
double gram_iteration(at::Tensor m) {
  constexpr int kSquarings = 10;
  at::Tensor log_norm = at::zeros({m.size(0)}, at::kDouble);  // |G^(2^t)| is exp(log_norm) |m|
  for (int t = 0; t < kSquarings; ++t) {
    const at::Tensor length = frobenius(m).clamp_min(1e-300);
    m = m / length.view({-1, 1, 1});
    log_norm = (log_norm + length.log()) * 2;
    m = at::bmm(m, m);
  }
  const at::Tensor total = log_norm + frobenius(m).clamp_min(1e-300).log();
  return std::exp(total.max().item<double>() / std::ldexp(1.0, kSquarings));
}

}  // namespace

at::Tensor GramSpectrum::all() const {
  return at::arange(std::ssize(spectrum_.frequencies().all()), at::kLong);
}

GramSpectrum::Top GramSpectrum::top(int64_t place) const {
  const at::Tensor gram = spectrum_.grams(at::tensor({place}, at::kLong))[0];
  const auto [values, vectors] = at::linalg_eigh(gram);
  const int64_t last = values.size(0) - 1;
  return {place, values[last].item<double>(), vectors.select(1, last).contiguous()};
}

int64_t GramSpectrum::likeliest(const at::Tensor& places) const {
  if (places.numel() == 1) return places.item<int64_t>();
  std::vector<at::Tensor> estimates;
  for (const at::Tensor& some : places.split(spectrum_.most_at_once()))
    estimates.push_back(power_estimates(spectrum_.grams(some)));
  return places[at::cat(estimates).argmax()].item<int64_t>();
}

// An eigenvalue is at most the Frobenius norm, which costs nothing beside the factorisation that the
// other matrices need. Both prove the computed matrix; gram_error() is what it is off.
at::Tensor GramSpectrum::unproven(const at::Tensor& places, double bound) const {
  const auto n = static_cast<double>(spectrum_.smaller());
  const double left = bound - spectrum_.gram_error();
  const double shift = left - 8 * kEpsilon * (n + 4) * n * std::max(left, 0.0);
  std::vector<at::Tensor> out;
  for (const at::Tensor& some : places.split(spectrum_.most_at_once())) {
    const at::Tensor grams = spectrum_.grams(some);
    const at::Tensor open =
        (frobenius(grams) * (1 + 4 * kEpsilon * (n * n + 4))).le(left).logical_not_().nonzero();
    if (open.numel() == 0) continue;
    const at::Tensor rest = open.flatten();
    at::Tensor shifted = grams.index_select(0, rest).neg_();
    shifted.diagonal(0, 1, 2).add_(shift);
    const at::Tensor failed = std::get<1>(at::linalg_cholesky_ex(shifted)).ne(0);
    out.push_back(some.index_select(0, rest).masked_select(failed));
  }
  return out.empty() ? at::empty({0}, at::kLong) : at::cat(out);
}

double GramSpectrum::gram_bound(const at::Tensor& places) const {
  double largest = 0;
  for (const at::Tensor& some : places.split(spectrum_.most_at_once()))
    largest = std::max(largest, gram_iteration(spectrum_.grams(some)));
  // Each product's relative rounding (2 sqrt 2 n eps in Frobenius norm) enters divided by its power.
  const auto n = static_cast<double>(spectrum_.smaller());
  return largest * (1 + 16 * kEpsilon * (n + 4) * n) + spectrum_.gram_error();
}

double GramSpectrum::prove(Top& best, double raise) const {
  constexpr double kMostRaise = 0.01;
  const auto raised = [&] { return best.value * (1 + raise) * (1 + raise); };
  at::Tensor open = all();
  double bound = raised();
  for (;;) {
    open = unproven(open, bound);
    if (open.numel() == 0) return bound;
    const Top other = top(likeliest(open));
    if (other.value <= bound) raise *= 2;  // too near for the rounding of the proof
    if (other.value > best.value) best = other;
    if (raise > kMostRaise) return std::max(bound, gram_bound(open));
    bound = std::max(bound, raised());
  }
}

}  // namespace contraflow
