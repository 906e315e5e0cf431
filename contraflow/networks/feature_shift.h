#pragma once

#include "contraflow/core/export.h"
#include "contraflow/networks/layer.h"

namespace contraflow {

class Rng;

/// [b, o] to be added to [b, ..., o].
CF_EXPORT at::Tensor for_each_position(const at::Tensor& shift, int64_t axes);

/// What a bounded layer adds to its product at every position: a bias and a free function of the
/// condition, b + V h.
///
/// Shapes   b: [features], V: [features, condition], h: [batch, condition].
/// State    of the owner, a layer: parameters `bias` and, with a condition, `condition_weight`.
class CF_EXPORT FeatureShift {
 public:
  FeatureShift(torch::nn::Module& owner, int64_t features, int64_t condition);

  const at::Tensor& bias() const { return bias_; }
  /// Undefined without a condition.
  const at::Tensor& condition_weight() const { return condition_weight_; }

  /// The bias uniform within `limit`, the condition's weights within 1 / sqrt(condition).
  void initialise(const Rng& rng, double limit);
  /// tape.shift becomes the shift, [features] or [batch, features].
  void bind(Tape& tape, const at::Tensor& condition) const;
  /// Gradients from that of the layer's value [batch, ..., features].
  void add_gradients(const Tape& tape, const at::Tensor& by_value, GradientMap& gradients,
                     at::Tensor& condition_gradient) const;

 private:
  at::Tensor bias_, condition_weight_;
};

/// Fills a parameter with numbers uniform within `limit`, of a stream named `tag`.
CF_EXPORT void draw_uniform(const Rng& rng, std::string_view tag, const at::Tensor& parameter,
                            double limit);

}  // namespace contraflow
