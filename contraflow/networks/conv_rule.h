#pragma once

#include "contraflow/networks/conv_frequencies.h"
#include "contraflow/networks/norm_rule.h"

namespace contraflow {

/// The spectral norm of a convolution on a grid, of weights [o, i, k, k]; proven unless `method` is
/// kEstimated. What the upper end bounds is the norm of the circulant operator of conv_norm.h:
/// circular, the convolution itself.
class ConvRule final : public NormRule {
 public:
  /// `tolerance`: of the guess, relative, and slack of the proof.
  ConvRule(int64_t kernel, const ConvGrid& grid, NormMethod method, double tolerance)
      : frequencies_(kernel, grid), method_(method), tolerance_(tolerance) {}

  NormPair empty_pair(at::IntArrayRef sizes) const override;
  NormInterval update(const at::Tensor& weight, NormPair& pair) const override;
  bool proven() const override { return method_ != NormMethod::kEstimated; }
  /// Of the circulant's norm.
  at::Tensor slope(const NormPair& pair, const at::Tensor& weight) const override;
  /// By the triangle inequality over taps.
  double drift(const at::Tensor& change) const override;
  double rounding_gain(at::IntArrayRef sizes) const override;
  /// The circulant's norm: the lower end of a zero-padded convolution is below it.
  double reached(const at::Tensor& slope, const at::Tensor& weight, double lower) const override;

 private:
  ConvFrequencies frequencies_;
  NormMethod method_;
  double tolerance_;
};

}  // namespace contraflow
