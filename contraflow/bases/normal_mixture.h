#pragma once

#include "contraflow/bases/base.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow {

struct NormalMixtureOptions {
  /// Shape of one event.
  EventShape event = {};
  /// Components K.
  int64_t components = 8;
  /// Deviation of the initial locations about 0; the components start with unit scale.
  double spread = 1.0;
  /// Seed of the initial locations.
  int64_t seed = 0;
};

template <class Field>
void visit(NormalMixtureOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
  field("components", o.components, at_least(1), "Number of components.");
  field("spread", o.spread, positive(), "Deviation of the initial locations about 0.");
  field("seed", o.seed, "Seed of the initial locations.");
}

/// Mixture of K diagonal normals, all trained:  p(z) = sum_k softmax(logits)_k N(z; m_k, s_k^2).
///
/// Shapes     z: [B, D], log_prob: [B].  Parameters: logits: [K]; location, log_scale: [K, D].
/// Types      float32, float64.
/// Cost       B K D numbers.
/// Random     sample(): one uniform number (component) and D normal ones a row. The temperature
///            scales the spread within a component, not the locations or weights.
/// Throws     as Base.
/// Example    NormalMixture base({.event = 2, .components = 5});   base.sample(100, Rng(1));
class CF_EXPORT NormalMixture final : public Base {
 public:
  using Options = NormalMixtureOptions;
  static constexpr const char* kType = "normal_mixture";
  static constexpr const char* kSummary = "mixture of diagonal normals, all trained";
  static constexpr const char* kSource = "";

  explicit NormalMixture(NormalMixtureOptions options);
  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  /// The choice of a component has no gradient in the weights.
  bool has_pathwise_draws() const override { return !logits_.requires_grad(); }

 private:
  at::Tensor do_log_prob(const at::Tensor& z) const override;
  at::Tensor do_sample(int64_t count, const Rng& rng, double temperature) const override;
  at::TensorOptions tensor_options() const override;

  NormalMixtureOptions options_;
  at::Tensor logits_;     ///< [K]
  at::Tensor location_;   ///< [K, D]
  at::Tensor log_scale_;  ///< [K, D]
};

}  // namespace contraflow
