#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/feature_axis.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct DequantizeOptions {
  /// Shape of one event; its first axis counts the features.
  EventShape event = {};
  /// Values a column takes, 0 ... levels - 1: one number for all columns, or one per column.
  std::vector<int64_t> levels = {256};
};

template <class Field>
void visit(DequantizeOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
  field("levels", o.levels, non_empty() && closed_interval(1, 65536),
        "Values 0 ... levels - 1 of a column: one number for all columns, or one per column.");
}

/// Uniform dequantization of integer columns:  z = (x + u) / levels,  u uniform on (0, 1).
/// E[log p(z)] + log_det is a lower bound on the log-probability of x, and what bits per dimension
/// are computed from; log_prob_with_error() gives its Monte Carlo error.
///
/// Shapes     x: [B, D], integers 0 ... levels - 1 in a floating type;  z: [B, D] in (0, 1).
///            log_det: [B].  context: none.
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = -sum(log(levels)), in nats.
/// Inverse    x = floor(z * levels), clamped to the levels; it undoes every forward exactly, but
///            forward does not undo it: not a bijection of the reals. Its log_det is
///            +sum(log(levels)).
/// Log-det    exact.
/// Cost       one uniform number per element.
/// Random     u from context.rng, kept 2 levels * epsilon away from 0 and 1, so that rounding does
///            not carry z into the next cell.
/// Threads    const members may run concurrently.
/// Throws     ShapeError, DtypeError; DomainError (not an integer, or out of range: row, column).
/// Source     Theis et al. 2016, section 3.1, arXiv:1511.01844.
/// Example    Dequantize map({.event = 64, .levels = {17}});   map.forward(digits, {.rng = Rng(1)});
class CF_EXPORT Dequantize final : public Transform {
 public:
  using Options = DequantizeOptions;
  static constexpr const char* kType = "dequantize";
  static constexpr const char* kSummary = "integer columns to (0, 1) by adding uniform noise";
  static constexpr const char* kSource = "Theis et al. 2016, arXiv:1511.01844";

  explicit Dequantize(DequantizeOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  std::optional<double> forward_lipschitz() const override;
  Randomness randomness(Phase /*phase*/) const override { return Randomness::kUnbiased; }
  bool bijective() const override { return false; }

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;

  DequantizeOptions options_;
  FeatureAxis axis_;
  at::Tensor levels_;      ///< [C], float64
  double log_volume_ = 0;  ///< sum over the event of log(levels)
};

}  // namespace contraflow
