#pragma once

#include "contraflow/networks/conv_frequencies.h"
#include "contraflow/networks/norm_rule.h"
#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

/// Where the norm of a convolution is reached: a frequency and a complex singular pair of its matrix
/// T(f), as a NormRule keeps it. `left` [o + 1, 2] and `right` [i, 2] are float64; columns are real
/// and imaginary part, the first row of `left` is the frequency. A pair of zeros knows nothing.
struct ConvPair {
  GridPair frequency;
  at::Tensor left;   ///< complex unit vector u [o]
  at::Tensor right;  ///< complex unit vector v [i]:  u* T(f) v is the largest singular value
};
NormPair empty_conv_pair(int64_t outputs, int64_t inputs);
/// Views of the pair's vectors; undefined ones for a pair of zeros.
ConvPair read_conv_pair(const NormPair& pair, const ConvFrequencies& frequencies);

/// Bounds on the norm of the convolution by `weight` [o, i, k, k]; the pair of an earlier weight
/// becomes that of this one.
///
/// Upper   over all frequencies, at least the largest singular value. kCholesky: a guess, raised by
///         the tolerance and proven by a complex Cholesky factorisation at each frequency whose
///         Frobenius norm does not prove it. kGram: Gram iteration at each. kEstimated: the guess.
/// Lower   of the convolution itself: circular, the singular value at a frequency of the grid; zero,
///         what a wave of the frequency does under a sine window.
/// Slack   circular: the tolerance. Zero: that, and what docs/numerics.md says of the grid.
/// Cost    kCholesky, warm: an eigendecomposition and a factorisation n x n for each frequency, n
///         the smaller channel side.
/// Throws  NumericsError for weights that are not finite.
NormInterval update_conv_norm(const at::Tensor& weight, const ConvFrequencies& frequencies,
                              NormPair& pair, NormMethod method, double relative_tolerance);

}  // namespace contraflow
