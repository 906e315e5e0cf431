#pragma once

#include "contraflow/bases/base.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow {

struct DiagonalNormalOptions {
  /// Shape of one event.
  EventShape event = {};
};

template <class Field>
void visit(DiagonalNormalOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
}

/// Normal with a trained location and scale per coordinate; starts as the standard normal.
///
/// Shapes     z: [B, D], log_prob: [B].  Parameters: location, log_scale: [D].
/// Types      float32, float64.
/// Random     sample(): D normal numbers a row; location + temperature * exp(log_scale) * noise.
/// Throws     as Base.
/// Example    DiagonalNormal base({.event = 2});   base.log_prob(z).mean().backward();
class CF_EXPORT DiagonalNormal final : public Base {
 public:
  using Options = DiagonalNormalOptions;
  static constexpr const char* kType = "diagonal_normal";
  static constexpr const char* kSummary = "normal with trained location and scale";
  static constexpr const char* kSource = "";

  explicit DiagonalNormal(DiagonalNormalOptions options);
  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;

 private:
  at::Tensor do_log_prob(const at::Tensor& z) const override;
  at::Tensor do_sample(int64_t count, const Rng& rng, double temperature) const override;
  at::TensorOptions tensor_options() const override;

  DiagonalNormalOptions options_;
  at::Tensor location_;   ///< [D]
  at::Tensor log_scale_;  ///< [D]
};

}  // namespace contraflow
