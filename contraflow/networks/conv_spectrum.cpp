#include "contraflow/networks/conv_spectrum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/networks/epsilon.h"

namespace contraflow {
namespace {

// A power of two that, like its inverse, is well inside the range; 0 and NaN stay.
double scale_near(double largest) {
  if (!(largest > 0)) return largest;
  if (!std::isfinite(largest)) return std::nan("");
  constexpr int kMost = 1000;
  return std::ldexp(1.0, std::clamp(std::ilogb(largest), -kMost, kMost));
}

// C_lag of taps [taps y, taps x, m, n]: pairs of taps that are `lag` apart, one below the other.
at::Tensor lag_product(const at::Tensor& taps, GridPair lag) {
  const int64_t side = taps.size(3);
  const auto rows = [&](int64_t y, int64_t x) {
    return taps.narrow(0, y, taps.size(0) - lag.y)
        .narrow(1, x, taps.size(1) - std::abs(lag.x))
        .reshape({-1, side});
  };
  const int64_t left = std::max<int64_t>(-lag.x, 0), right = std::max<int64_t>(lag.x, 0);
  return rows(0, left).t().mm(rows(lag.y, right));
}

// Real rows [.., n] times a complex vector [n]: complex [..].
at::Tensor rows_times(const at::Tensor& rows, const at::Tensor& v) {
  return at::view_as_complex(rows.matmul(at::view_as_real(v)).contiguous());
}

}  // namespace

ConvSpectrum::ConvSpectrum(const at::Tensor& weight, const ConvFrequencies& frequencies)
    : frequencies_(frequencies) {
  const at::Tensor used = frequencies.used(weight.detach()).to(at::kCPU, at::kDouble);
  scale_ = scale_near(used.numel() == 0 ? 0.0 : used.abs().max().item<double>());
  if (!usable()) return;
  taps_ = used / scale_;
  tap_sum_ = taps_.square().sum(at::IntArrayRef{0, 1}).sqrt().sum().item<double>();
  is_right_ = taps_.size(1) <= taps_.size(0);
  const at::Tensor tall =
      taps_.permute(is_right_ ? at::IntArrayRef{2, 3, 0, 1} : at::IntArrayRef{2, 3, 1, 0})
          .contiguous();
  larger_ = tall.size(2);
  smaller_ = tall.size(3);
  waves_ = frequencies.waves();
  std::vector<at::Tensor> even, odd;
  for (const GridPair& lag : frequencies.lags()) {
    const at::Tensor product = lag_product(tall, lag);
    const bool is_first = even.empty();
    even.push_back((is_first ? product : product + product.t()).reshape({-1}));
    odd.push_back((is_first ? at::zeros_like(product) : product - product.t()).reshape({-1}));
  }
  even_ = at::stack(even);
  odd_ = at::stack(odd);
}

at::Tensor ConvSpectrum::grams(const at::Tensor& places) const {
  const std::vector<int64_t> sizes{places.size(0), smaller_, smaller_};
  const at::Tensor real = waves_.cosine.index_select(0, places).mm(even_);
  const at::Tensor imaginary = waves_.sine.index_select(0, places).mm(odd_);
  return at::complex(real, imaginary).view(sizes);
}

int64_t ConvSpectrum::most_at_once() const {
  constexpr int64_t kMostNumbers = int64_t{1} << 21;  // 32 MiB of complex numbers
  return std::max<int64_t>(1, kMostNumbers / (smaller_ * smaller_));
}

// An entry is a sum over taps, lags and the larger side of products of two weights and a wave whose
// own error is some 16 units: docs/numerics.md. Eight times the rounding of such a sum.
double ConvSpectrum::gram_error() const {
  const auto lags = static_cast<double>(even_.size(0));
  const auto taps = static_cast<double>(frequencies_.y().taps * frequencies_.x().taps);
  return 4 * kEpsilon * (static_cast<double>(larger_) + taps + 2 * lags + 40) * tap_sum_ * tap_sum_;
}

at::Tensor ConvSpectrum::tap_images(GridPair f, const at::Tensor& v) const {
  const at::Tensor rows = taps_.permute({0, 2, 3, 1}).flatten(1, 2);
  return rows_times(rows, v) * frequencies_.phases(f).flatten();
}

at::Tensor ConvSpectrum::times(GridPair f, const at::Tensor& v) const {
  return tap_images(f, v).sum(1);
}

at::Tensor ConvSpectrum::adjoint_times(GridPair f, const at::Tensor& u) const {
  const at::Tensor rows = taps_.permute({1, 2, 3, 0}).flatten(1, 2);
  return (rows_times(rows, u) * frequencies_.phases(f).flatten().conj()).sum(1);
}

}  // namespace contraflow
