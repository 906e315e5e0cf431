#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/feature_axis.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct LogitOptions {
  /// Shape of one event; its first axis counts the features.
  EventShape event = {};
  /// Smallest value of the columns: one for all, or one per column.
  std::vector<double> lower = {0.0};
  /// Largest value of the columns; above `lower`.
  std::vector<double> upper = {1.0};
  /// Margin kept from 0 and 1, in (0, 1/2). Smaller sends the bounds further out.
  double alpha = 0.05;
};

template <class Field>
void visit(LogitOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
  field("lower", o.lower, non_empty(), "Smallest value: one for all columns, or one per column.");
  field("upper", o.upper, non_empty(), "Largest value: one for all columns, or one per column.");
  field("alpha", o.alpha, open_interval(0.0, 0.5), "Margin kept from 0 and 1 before the logit.");
}

/// Bounded columns to the real line:
///   z = logit(p),  p = alpha + (1 - 2 alpha) u,  u = (x - lower) / (upper - lower).
///
/// Shapes     x, z: [B, D].  log_det: [B].  context: none.
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = log|det dz/dx|, in nats.
/// Inverse    explicit. A latent with |z| above logit(1 - alpha) comes from beyond the bounds, by
///            at most alpha / (1 - 2 alpha) of their distance: clamp samples that must stay inside.
/// Log-det    exact; p and 1 - p are each computed from the nearer bound, so that no digits are
///            lost where they saturate.
/// Cost       a few passes over x.
/// Random     none.
/// Threads    const members may run concurrently.
/// Throws     ShapeError, DtypeError; DomainError (x outside the bounds: value, row, column).
/// Source     Dinh et al. 2017, Real NVP, section 4.1, arXiv:1605.08803.
/// Example    Logit map({.event = 64, .alpha = 1e-6});   map.forward(x).log_det;
class CF_EXPORT Logit final : public Transform {
 public:
  using Options = LogitOptions;
  static constexpr const char* kType = "logit";
  static constexpr const char* kSummary = "bounded columns to the real line";
  static constexpr const char* kSource = "Dinh et al. 2017, arXiv:1605.08803";

  explicit Logit(LogitOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override;

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  /// log|dz/dx| summed over the event, from log p + log(1 - p).
  at::Tensor log_det(const at::Tensor& log_p_q) const;

  LogitOptions options_;
  FeatureAxis axis_;
  at::Tensor lower_;  ///< [C], float64
  at::Tensor range_;  ///< [C], float64: upper - lower
};

}  // namespace contraflow
