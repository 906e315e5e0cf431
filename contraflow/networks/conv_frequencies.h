#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "contraflow/networks/conv_grid.h"

namespace contraflow {

/// Two whole numbers, one for each axis of a grid: a frequency in units of 1 / period, or the
/// distance of two taps.
struct GridPair {
  int64_t y = 0;
  int64_t x = 0;
};

/// The DFT grid on which the norm of a k x k convolution is bounded, and the taps of its kernel that
/// reach the grid of pixels: docs/numerics.md, "Norms of convolutions".
///
/// Zero      the period of an axis of N pixels and taps up to r away is N + r, the smallest that
///           proves; larger ones are not tighter. Taps that no pair of pixels is apart
///           (|offset| >= N) are left out.
/// Circular  the period is N, so that the bound is exact; for a kernel wider than the grid it is the
///           smallest multiple of N that holds the kernel.
/// Kernel 1  one frequency, whatever the grid.
class ConvFrequencies {
 public:
  /// `kernel` is odd.
  ConvFrequencies(int64_t kernel, const ConvGrid& grid);

  struct Axis {
    int64_t pixels = 1;
    int64_t first = 0;   ///< the first tap that is used
    int64_t taps = 1;    ///< how many are used
    int64_t period = 1;  ///< of the DFT
  };
  const Axis& y() const { return y_; }
  const Axis& x() const { return x_; }
  bool circular() const { return circular_; }

  /// One of each pair f, -f: kernels are real, so that both have the same singular values.
  const std::vector<GridPair>& all() const { return all_; }
  /// The place of f, or of -f, in all().
  int64_t place(GridPair f) const;
  /// The taps that are used, of a weight [o, i, k, k]: a view [o, i, y().taps, x().taps].
  at::Tensor used(const at::Tensor& weight) const;
  /// exp(2 pi i f . tap) for the used taps, counted from the first one: complex [y().taps, x().taps].
  at::Tensor phases(GridPair f) const;

  /// The distances of two used taps, one of each pair d, -d, from (0, 0) on.
  std::vector<GridPair> lags() const;
  /// cos and sin of 2 pi f . lag for all() and lags(), [all().size(), lags().size()], float64.
  struct Waves {
    at::Tensor cosine, sine;
  };
  Waves waves() const;

 private:
  double angle(GridPair f, GridPair distance) const;

  Axis y_, x_;
  bool circular_;
  std::vector<GridPair> all_;
};

}  // namespace contraflow
