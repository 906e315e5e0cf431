#pragma once

#include "contraflow/networks/conv_spectrum.h"

namespace contraflow {

/// The largest eigenvalue over the Gram matrices of a convolution's frequencies: guesses and proofs.
/// Frequencies are named by their places in ConvFrequencies::all().
///
/// Threads  const members may run concurrently.
class GramSpectrum {
 public:
  explicit GramSpectrum(const ConvSpectrum& spectrum) : spectrum_(spectrum) {}

  struct Top {
    int64_t place = 0;
    double value = 0;   ///< the largest eigenvalue there
    at::Tensor vector;  ///< its unit eigenvector, complex [n]
  };
  /// The eigenpair of one frequency.
  Top top(int64_t place) const;
  /// The place, of those given, where a few steps of the power iteration reach furthest.
  int64_t likeliest(const at::Tensor& places) const;
  /// The places of those given whose largest eigenvalue is not proven to be at most `bound`.
  at::Tensor unproven(const at::Tensor& places, double bound) const;
  /// A proven bound on all of them, from best.value raised by `raise` on; `best` becomes the largest
  /// eigenpair that was met.
  double prove(Top& best, double raise) const;
  /// A proven bound on those given by Gram iteration.
  double gram_bound(const at::Tensor& places) const;
  /// All places.
  at::Tensor all() const;

 private:
  const ConvSpectrum& spectrum_;
};

}  // namespace contraflow
