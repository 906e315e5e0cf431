#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/feature_axis.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {

struct ActNormOptions {
  /// Shape of one event; its first axis counts the features.
  EventShape event = {};
};

template <class Field>
void visit(ActNormOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
}

/// Per-feature affine map, trained:  z = (x + shift) * exp(log_scale).
///
/// Shapes     x, z: [B, D].  log_det: [B].  context: none.
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = sum(log_scale), in nats.
/// Inverse    explicit: x = z * exp(-log_scale) - shift.
/// Log-det    exact.
/// Cost       one pass over x.
/// Random     none.
/// State      the first prepare() sets shift and log_scale so that its batch leaves with mean 0 and
///            deviation 1 in every column; the buffer `initialized` (0 or 1) records it. Before,
///            the map is the identity.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError, DtypeError; DomainError from the first prepare (constant column, or one
///            row).
/// Source     Kingma and Dhariwal 2018, Glow, section 3.1, arXiv:1807.03039.
/// Example    ActNorm norm({.event = 2});   norm.prepare(x);   norm.forward(x).value;
class CF_EXPORT ActNorm final : public Transform, public Lowerable {
 public:
  using Options = ActNormOptions;
  static constexpr const char* kType = "actnorm";
  static constexpr const char* kSummary = "per-feature scale and shift, initialised from data";
  static constexpr const char* kSource = "Kingma and Dhariwal 2018, arXiv:1807.03039";

  explicit ActNorm(ActNormOptions options);

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

  ActNormOptions options_;
  FeatureAxis axis_;
  at::Tensor shift_;        ///< [C]
  at::Tensor log_scale_;    ///< [C]
  at::Tensor initialized_;  ///< [], 0 or 1; floating so that to(dtype) keeps the state of one type.
};

}  // namespace contraflow
