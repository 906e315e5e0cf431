#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/feature_axis.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {

struct ScaleOptions {
  /// Shape of one event; its first axis counts the features.
  EventShape event = {};
};

template <class Field>
void visit(ScaleOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
}

/// Per-feature positive factor, trained, from 1:  z = x * exp(log_scale).
///
/// Shapes     x, z: [B, D].  log_det: [B].  context: none.
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = sum(log_scale), in nats.
/// Inverse    explicit: x = z * exp(-log_scale).
/// Log-det    exact.
/// Cost       one pass over x.
/// Random     none.
/// Threads    const members may run concurrently.
/// Throws     ShapeError, DtypeError.
/// Source     Ahn et al. 2022, Monotone Flows, the learnable scaling of figure 4.
class CF_EXPORT Scale final : public Transform, public Lowerable {
 public:
  using Options = ScaleOptions;
  static constexpr const char* kType = "scale";
  static constexpr const char* kSummary = "per-feature positive factor, trained, from 1";
  static constexpr const char* kSource = "Ahn et al. 2022, Monotone Flows";

  explicit Scale(ScaleOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override;
  const Lowerable* lowerable() const override { return this; }
  bool lower(TileLowering& to, const Context& context, bool inverse) const override;

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;

  ScaleOptions options_;
  FeatureAxis axis_;
  at::Tensor log_scale_;  ///< [C]
};

}  // namespace contraflow
