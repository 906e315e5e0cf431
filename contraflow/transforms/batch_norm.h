#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/feature_axis.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct BatchNormOptions {
  /// Shape of one event; its first axis counts the features.
  EventShape event = {};
  /// Weight of a new batch in the running statistics, in (0, 1).
  double momentum = 0.1;
  /// Added to the variance, so that a column that stops varying does not divide by 0.
  double epsilon = 1e-5;
  /// Calls of prepare() (training steps) from one batch that the statistics take in to the next.
  int64_t update_every = 5;
};

template <class Field>
void visit(BatchNormOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
  field("momentum", o.momentum, open_interval(0.0, 1.0),
        "Weight of a new batch in the running statistics.");
  field("epsilon", o.epsilon, positive(), "Added to the variances.");
  field("update_every", o.update_every, at_least(2),
        "Training steps from one update of the statistics to the next.");
}

/// Normalises by running statistics of the batches, then a trained affine map:
///   z = (x - mean) / sqrt(variance + epsilon) * exp(log_scale) + shift.
///
/// Shapes     x, z: [B, D].  log_det: [B].  context: none.
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = sum(log_scale - log(variance + epsilon) / 2), in
///            nats.
/// Inverse    explicit, while training too: the map of a row does not depend on its batch.
/// Log-det    exact.
/// Cost       one pass over x; prepare() one more.
/// Random     none.
/// State      the first prepare() takes the buffers mean and variance from its batch; then every
///            `update_every`-th moves them by `momentum` towards its own. Training with the
///            statistics of the past instead of those of its own batch keeps rows independent: a
///            density of x and not of a batch, equal in training and evaluation. No gradient goes
///            through them. Before the first, mean 0 and variance 1. `calls` counts since the last
///            batch (-1 = none yet).
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError, DtypeError; DomainError from the first prepare (constant column, or one
///            row).
/// Source     Dinh et al. 2017, Real NVP, section 3.7 and appendix E, arXiv:1605.08803.
/// Example    BatchNorm norm({.event = 2});   norm.prepare(x);   norm.forward(x).value;
class CF_EXPORT BatchNorm final : public Transform {
 public:
  using Options = BatchNormOptions;
  static constexpr const char* kType = "batch_norm";
  static constexpr const char* kSummary = "running statistics of the batches, then scale and shift";
  static constexpr const char* kSource = "Dinh et al. 2017, arXiv:1605.08803";

  explicit BatchNorm(BatchNormOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  /// True when a batch is due.
  bool prepare_needs_data() const override;
  void defer_calibration() override;
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override;

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  void do_prepare(const at::Tensor& x, const Context& context) override;
  /// log of dz/dx, [D].
  at::Tensor log_slope() const;

  BatchNormOptions options_;
  FeatureAxis axis_;
  at::Tensor shift_, log_scale_;  ///< [C], trained
  at::Tensor mean_, variance_;    ///< [C], running
  at::Tensor calls_;              ///< [], floating so that to(dtype) keeps the state of one type
};

}  // namespace contraflow
