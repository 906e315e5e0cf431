#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/feature_axis.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {

struct StandardizeOptions {
  /// Shape of one event; its first axis counts the features.
  EventShape event = {};
};

template <class Field>
void visit(StandardizeOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
}

/// Per-feature standardisation with the data's own moments, not trained:  z = (x - mean) / scale.
///
/// Shapes     x, z: [B, D].  log_det: [B].  context: none.
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = -sum(log(scale)), in nats: densities are those of
///            the raw data.
/// Inverse    explicit: x = z * scale + mean.
/// Log-det    exact.
/// Cost       one pass over x.
/// Random     none.
/// State      the first prepare() sets the buffers mean and scale (divisor n - 1); the buffer
///            `initialized` (0 or 1) records it. Before, the map is the identity.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError, DtypeError; DomainError from the first prepare (constant column, or one
///            row).
/// Source     none.
/// Example    Standardize map({.event = 2});   map.prepare(train);   map.forward(x).value;
class CF_EXPORT Standardize final : public Transform, public Lowerable {
 public:
  using Options = StandardizeOptions;
  static constexpr const char* kType = "standardize";
  static constexpr const char* kSummary = "mean 0 and deviation 1 per feature, fixed from data";
  static constexpr const char* kSource = "";

  explicit Standardize(StandardizeOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  bool prepare_needs_data() const override;
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override;
  const Lowerable* lowerable() const override { return this; }
  bool lower(TileLowering& to, const Context& context, bool inverse) const override;

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  void do_prepare(const at::Tensor& x, const Context& context) override;

  StandardizeOptions options_;
  FeatureAxis axis_;
  at::Tensor mean_;         ///< [C]
  at::Tensor scale_;        ///< [C], positive
  at::Tensor initialized_;  ///< [], 0 or 1
};

}  // namespace contraflow
