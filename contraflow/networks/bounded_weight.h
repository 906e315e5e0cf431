#pragma once

#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/networks/layer_bound.h"
#include "contraflow/networks/norm_rule.h"

namespace contraflow {

struct BoundedWeightOptions {
  /// Cap c on the norm of the effective weight.
  double cap = 1.0;
  NormRulePtr rule;
  /// Calls of refresh() per recomputation; between them the bound grows by the rule's drift. Does
  /// not apply to rules that move.
  int64_t refresh_every = 1;
  /// Cap on the spectral norm as well and the rule that bounds it, for a rule that only estimates;
  /// 0 = none. What is bounded is then the Euclidean constant.
  double spectral_cap = 0.0;
  NormRulePtr spectral_rule = nullptr;
};

/// A weight W of a layer that a bound on its norm scales:  s W,  s = min(1, c / bound(W)); with a
/// spectral cap c_2, s is at most c_2 / sigma(W) too.
///
/// State      of the owner, a layer: parameter `weight`; buffers `bounds` = {lower, upper, drift,
///            calls since the refresh, seal}, `left`, `right` (the rule's pair), float64 on the CPU;
///            with a spectral cap `spectral_bounds`, `spectral_left`, `spectral_right`; between
///            refreshes `snapshot`, the weight that was bounded. The owner registers no others by
///            these names, and keeps float64_buffers() through its to().
/// Casts      the seal, 1/3, is exact as long as no cast has rounded the buffers. Once it is not,
///            bounds are widened by what such a cast may have done to them and to the weight, and
///            the next refresh() recomputes them.
/// Gradients  go through s by the slope of the norm whose cap binds.
/// Threads    const members may run concurrently; refresh() needs exclusive access.
class CF_EXPORT BoundedWeight {
 public:
  BoundedWeight(torch::nn::Module& owner, at::IntArrayRef sizes, BoundedWeightOptions options);

  const at::Tensor& raw() const { return weight_; }
  /// The factor s now in force.
  double scale() const;
  at::Tensor effective() const;
  /// Bound on the norm of the effective weight: min(c, upper + drift) in the rule's norm, with a
  /// spectral cap on the spectral norm.
  double lipschitz() const;
  /// Whether lipschitz() is proven.
  bool proven() const;
  /// Bounds on the norm of the raw weight; upper includes the drift since the last refresh.
  NormBounds bounds() const;
  /// Of the effective weight's norm, for a certificate.
  LayerBound line(const std::string& name) const;
  const NormRule& rule() const { return *options_.rule; }
  double cap() const { return options_.cap; }

  void refresh(bool force);
  /// The state of fresh weights: bounded, or with `bounded` = false and more of them than are bounded
  /// in milliseconds, waiting() for the first refresh(). Until then nothing is known of the norm, so
  /// that s is 0, and that is the proof.
  void start(bool bounded);
  bool waiting() const;
  /// Adds the gradient of the raw weight, and of what moves the rule, for that of the effective one.
  void add_gradient(const at::Tensor& by_effective, GradientMap& gradients) const;

  /// The norm whose cap decides about s: d log(norm) = slope(pair) . dW / sigma.
  struct Binding {
    double sigma;
    NormPair pair;
    bool spectral;
  };
  Binding binding() const;
  /// Of the rule's own norm, float64 on the CPU.
  NormPair pair() const;
  std::vector<at::Tensor> float64_buffers() const;

 private:
  // A norm of the raw weight and the cap on it: s is at most cap / upper.
  struct Capped {
    double cap, lower, upper;
  };
  Capped own_norm() const;
  Capped spectral_norm() const;
  Capped after_cast(const Capped& norm) const;
  double scale_within(const Capped& norm) const;
  double margin() const;
  bool has_spectral_cap() const { return options_.spectral_cap > 0.0; }
  bool due(bool force) const;
  void restore_buffers();
  void take_snapshot();

  BoundedWeightOptions options_;
  at::Tensor weight_, bounds_, snapshot_;
  NormPair pair_;
  at::Tensor spectral_bounds_;  // this and the next with a spectral cap
  NormPair spectral_pair_;
};

}  // namespace contraflow
