#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct SplitPriorOptions {
  /// Shape of what leaves: [channels, height, width].
  EventShape event = {};
  /// Shape of what stays, of the same height and width.
  EventShape condition = {};
  /// Side of the convolution's kernel, odd.
  int64_t kernel = 3;
  /// Largest |log_scale|: deviations lie between its exponential and the inverse of that.
  double most_log_scale = 4.0;
  /// Factor of the initial weights: uniform within init_gain / sqrt(inputs); 0 starts as the identity.
  double init_gain = 0.0;
  /// Seed of the initial weights.
  int64_t seed = 0;
};

template <class Field>
void visit(SplitPriorOptions& o, Field&& field) {
  field("event", o.event, non_empty(), "Shape of what leaves: [channels, height, width].");
  field("condition", o.condition, non_empty(), "Shape of what stays, of the same sides.");
  field("kernel", o.kernel, at_least(1), "Side of the convolution's kernel, odd.");
  field("most_log_scale", o.most_log_scale, positive(), "Largest |log-scale|.");
  field("init_gain", o.init_gain, non_negative(),
        "Factor of the initial weights; 0 starts as the identity.");
  field("seed", o.seed, "Seed of the initial weights.");
}

/// An even kernel, shapes that are no images of the same sides -> ConfigError.
CF_EXPORT void validate(const SplitPriorOptions& options);

/// Normal density of what leaves a multi-scale flow, given what stays, as an affine map:
///   z = (x - mean(h)) exp(-log_scale(h)),  log_scale = most_log_scale tanh(r / most_log_scale),
/// mean and r by one convolution of h with zero padding.
///
/// Shapes     x, z: [B, C, H, W], h: [B, C', H, W] (the condition), log_det: [B].
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = -sum(log_scale), in nats.
/// Inverse    explicit: x = z exp(log_scale(h)) + mean(h).
/// Log-det    exact.
/// Cost       a convolution C' -> 2 C.
/// Random     none.
/// Threads    const members may run concurrently.
/// Throws     ShapeError, DtypeError; ConfigError at construction.
/// Source     Kingma and Dhariwal 2018, Glow, their code's split2d_prior, arXiv:1807.03039.
/// Example    SplitPrior prior({.event = {6, 8, 8}, .condition = {6, 8, 8}});
class CF_EXPORT SplitPrior final : public Transform {
 public:
  using Options = SplitPriorOptions;
  static constexpr const char* kType = "split_prior";
  static constexpr const char* kSummary = "normal density of what leaves a scale, given what stays";
  static constexpr const char* kSource = "Kingma and Dhariwal 2018, arXiv:1807.03039";

  explicit SplitPrior(SplitPriorOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  std::vector<int64_t> condition_shape() const override { return options_.condition.sizes(); }
  /// For a fixed condition.
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override { return forward_lipschitz(); }
  nlohmann::ordered_json spec() const override;

 private:
  struct Moments {
    at::Tensor mean, log_scale;  ///< [B, C, H, W]
  };
  Moments moments(const at::Tensor& h) const;

  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;

  SplitPriorOptions options_;
  at::Tensor weight_;  ///< [2 C, C', kernel, kernel]: means, then log-scales
  at::Tensor bias_;    ///< [2 C]
};

}  // namespace contraflow
