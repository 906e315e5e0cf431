#pragma once

#include <memory>

#include "contraflow/core/export.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

/// Where a norm is reached, as its rule keeps it: float64 on the CPU, in sizes of the rule's own. It
/// starts the rule's next iteration and holds the norm's gradient. A matrix keeps a singular pair;
/// a convolution may keep the complex pair of a frequency, and the frequency.
struct NormPair {
  at::Tensor left, right;
};

/// How one norm of a weight is bounded: what a BoundedWeight asks about it. The defaults are those
/// of a matrix [o, i] with a pair [o], [i].
///
/// Threads   const members may run concurrently, on different pairs.
class CF_EXPORT NormRule {
 public:
  virtual ~NormRule() = default;

  /// A pair of zeros, from which nothing is known, for a weight of these sizes.
  virtual NormPair empty_pair(at::IntArrayRef sizes) const;
  /// Bounds on the norm of the weight; the pair becomes that of this weight.
  virtual NormInterval update(const at::Tensor& weight, NormPair& pair) const = 0;
  /// Whether the upper end is a proof.
  virtual bool proven() const = 0;
  /// d norm / d weight at the pair, of the sizes, type and device of `weight`.
  virtual at::Tensor slope(const NormPair& pair, const at::Tensor& weight) const;
  /// The norm of which slope() is the derivative, sum(slope * weight) for a norm: by default the lower
  /// end in force. A rule that bounds a weight by the norm of another operator says otherwise.
  virtual double reached(const at::Tensor& slope, const at::Tensor& weight, double lower) const;
  /// A bound on the norm of a change of the weight: by how much its norm may have drifted.
  virtual double drift(const at::Tensor& change) const;
  /// Rounding each entry of the weight by a relative u changes its norm by at most u times this,
  /// relative to the norm.
  virtual double rounding_gain(at::IntArrayRef sizes) const;

  /// Whether the norm moves while the weight stays: it is then recomputed at every refresh.
  virtual bool moves() const { return false; }
  /// What moves it gets its gradient, for the loss's derivative by the logarithm of the norm.
  virtual void add_gradient(const NormPair& pair, double by_log_norm, GradientMap& gradients) const;

  /// p and q of  |W| = sup |W x|_q / |x|_p.
  virtual double input_order() const { return 2.0; }
  virtual double output_order() const { return 2.0; }
};

using NormRulePtr = std::shared_ptr<const NormRule>;

/// The spectral norm of a matrix; proven unless `method` is kEstimated.
class CF_EXPORT SpectralRule final : public NormRule {
 public:
  /// `tolerance`: of the iteration, relative, and slack of the proof.
  SpectralRule(NormMethod method, double tolerance) : method_(method), tolerance_(tolerance) {}

  NormInterval update(const at::Tensor& weight, NormPair& pair) const override;
  bool proven() const override { return method_ != NormMethod::kEstimated; }

 private:
  NormMethod method_;
  double tolerance_;
};

}  // namespace contraflow
