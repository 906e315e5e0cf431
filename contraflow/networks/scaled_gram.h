#pragma once

#include <cstdint>

#include "contraflow/kernels/dense.h"
#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

/// Vectors that ScaledGram::basis holds.
inline constexpr int64_t kBasisVectors = 66;

/// The Gram matrix G of the smaller side of a weight, as proofs of its norm need it. The weight is
/// divided by a power of two near its largest entry, which rounds nothing: norms near the ends of
/// the range neither overflow nor underflow.
///
/// Memory is the thread's and lasts until the next scaled_gram() on it.
struct ScaledGram {
  kernels::DenseMatrix tall;    ///< U, the scaled weight with its longer side first [m, n]
  kernels::DenseMatrix matrix;  ///< G = U^T U [n, n]
  kernels::DenseMatrix factor;  ///< [n, n], of the last proof that succeeded
  kernels::DenseMatrix basis;   ///< [kBasisVectors, n], free for an iteration
  double* x = nullptr;          ///< [n], padded with zeros: a top eigenvector, once one was found
  double* y = nullptr;          ///< [max(m, n)], padded with zeros; scratch
  double scale = 0;             ///< 0 for a weight of zeros, NaN for one that is not finite
  double trace = 0;
  bool is_right = true;  ///< eigenvectors are right singular vectors

  bool usable() const { return scale > 0; }
  /// x = start / |start|; false for a start that is zero or has no finite length.
  bool set_unit(const double* start) const;
  /// Whether lambda_max(G) <= c is proven by a factorisation that succeeds.
  bool proves(double c) const;
  /// The singular pair of eigenvector x: left [rows], right [cols] of the weight.
  void write_pair(double* left, double* right) const;
  /// Bounds of the weight's norm from a Rayleigh quotient of G and a bound of its spectrum.
  NormInterval interval(double quotient, double bound) const;
};

/// Of the weight w [rows, cols], row-major; without a matrix where it is not usable().
template <class T>
ScaledGram scaled_gram(const T* w, int64_t rows, int64_t cols);

}  // namespace contraflow
