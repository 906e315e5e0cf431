#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/networks/conv_frequencies.h"

namespace contraflow {

/// The matrices of a convolution over the frequencies of a DFT grid,
///   T(f) = sum over taps of W_tap exp(2 pi i f . tap)   [o, i],
/// whose largest singular value bounds the norm of the convolution, and their Gram matrices of the
/// smaller channel side. The weight is divided by a power of two near its largest entry, which
/// rounds nothing.
///
/// Gram     T* T = sum over lags of C_lag exp(2 pi i f . lag), C_lag = sum of W_tap^T W_(tap + lag):
///          the C are formed once, and no T.
/// Cost     45 products n x m x n for k = 3, whatever the grid; n^2 for each frequency and lag.
/// Threads  const members may run concurrently.
class ConvSpectrum {
 public:
  /// Of a weight [o, i, k, k] of any floating type.
  ConvSpectrum(const at::Tensor& weight, const ConvFrequencies& frequencies);

  const ConvFrequencies& frequencies() const { return frequencies_; }
  /// 0 for a weight of zeros, NaN for one that is not finite: then there is nothing else.
  double scale() const { return scale_; }
  bool usable() const { return scale_ > 0; }
  /// n and m: smaller and larger channel side.
  int64_t smaller() const { return smaller_; }
  int64_t larger() const { return larger_; }
  /// Whether eigenvectors of the Gram matrices are right singular vectors of T; else they are the
  /// conjugates of left ones.
  bool is_right() const { return is_right_; }

  /// Gram matrices of the frequencies at these places (int64) of frequencies().all(), complex
  /// [count, n, n]. At most most_at_once() of them should be asked for.
  at::Tensor grams(const at::Tensor& places) const;
  int64_t most_at_once() const;
  /// A bound on the rounding of a Gram matrix, in the spectral norm.
  double gram_error() const;
  /// T v of the frequency, complex [o] for v [i].
  at::Tensor times(GridPair f, const at::Tensor& v) const;
  /// T* u of the frequency, complex [i] for u [o].
  at::Tensor adjoint_times(GridPair f, const at::Tensor& u) const;
  /// W_tap v exp(2 pi i f . tap) for each tap, complex [o, taps].
  at::Tensor tap_images(GridPair f, const at::Tensor& v) const;
  /// The sum over taps of |W_tap|_F: no norm here is above it.
  double tap_sum() const { return tap_sum_; }

 private:
  const ConvFrequencies& frequencies_;
  at::Tensor taps_;  // [o, i, taps y, taps x], scaled, float64
  ConvFrequencies::Waves waves_;
  at::Tensor even_, odd_;  // [lags, n^2]: C + C^T, C - C^T, once for lag 0
  double scale_ = 0, tap_sum_ = 0;
  int64_t smaller_ = 0, larger_ = 0;
  bool is_right_ = true;
};

}  // namespace contraflow
