#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/feature_axis.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {

struct ActNormOptions {
  /// Shape of one event; its first axis counts the features.
  EventShape event = {};
  /// Least variance that the first prepare() divides by: a column of less leaves with less than a
  /// deviation of 1, a constant one with 0. 0 = none, and a constant column is an error.
  double variance_floor = 0.0;
  /// Images: a scale and a shift for each number of an event, not for each channel.
  bool each_number = false;
};

template <class Field>
void visit(ActNormOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
  field("variance_floor", o.variance_floor, non_negative(),
        "Least variance that the start divides by; 0 = none.");
  field("each_number", o.each_number, "Images: a scale and shift for each number, not channel.");
}

/// Per-feature affine map, trained:  z = (x + shift) * exp(log_scale).
///
/// Shapes     x, z: [B, event].  log_det: [B].  context: none.  Parameters: [C], of the event's first
///            axis; with each_number as many as an event has numbers.
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = sum(log_scale), in nats.
/// Inverse    explicit: x = z * exp(-log_scale) - shift.
/// Log-det    exact.
/// Cost       one pass over x.
/// Random     none.
/// State      the first prepare() sets shift and log_scale so that its batch leaves with mean 0 and
///            deviation 1 in every column, or what variance_floor leaves of it; the buffer
///            `initialized` (0 or 1) records it. Before, the map is the identity.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError, DtypeError; DomainError from the first prepare (constant column without a
///            floor, or one row).
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
  void start_from(const at::Tensor& x);

  ActNormOptions options_;
  FeatureAxis axis_;
  at::Tensor shift_;        ///< [C]
  at::Tensor log_scale_;    ///< [C]
  at::Tensor initialized_;  ///< [], 0 or 1; floating so that to(dtype) keeps the state of one type.
};

}  // namespace contraflow
