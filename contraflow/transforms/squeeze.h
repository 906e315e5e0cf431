#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct SqueezeOptions {
  /// Shape of one event: [channels, height, width], of which factor divides height and width.
  EventShape event = {};
  /// Side of the squares of pixels that become channels.
  int64_t factor = 2;
};

template <class Field>
void visit(SqueezeOptions& o, Field&& field) {
  field("event", o.event, non_empty(), "Shape of one event: [channels, height, width].");
  field("factor", o.factor, closed_interval(2, 64), "Side of the squares that become channels.");
}

/// [channels, height, width], height and width multiples of factor; or ConfigError.
CF_EXPORT void validate(const SqueezeOptions& options);

/// Trades space for channels: each square of factor x factor pixels of a channel becomes
/// factor * factor channels of one pixel,
///   z[c f^2 + i f + j, y, x] = x[c, y f + i, x f + j],  0 <= i, j < f.
///
/// Shapes     x: [B, C, H, W], z: [B, C f^2, H / f, W / f].  log_det: [B].  context: none.
/// Types      float32, float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = 0: a permutation of numbers.
/// Inverse    explicit, exact to the bit.
/// Log-det    exact.
/// Cost       one copy of x.
/// Random     none.
/// Threads    const members may run concurrently.
/// Throws     ShapeError, DtypeError; ConfigError at construction.
/// Source     Dinh et al. 2017, Real NVP, section 3.6, arXiv:1605.08803.
/// Example    Squeeze map({.event = {3, 32, 32}});   map.latent_shape();  // {12, 16, 16}
class CF_EXPORT Squeeze final : public Transform {
 public:
  using Options = SqueezeOptions;
  static constexpr const char* kType = "squeeze";
  static constexpr const char* kSummary = "squares of pixels become channels";
  static constexpr const char* kSource = "Dinh et al. 2017, arXiv:1605.08803";

  explicit Squeeze(SqueezeOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  std::vector<int64_t> latent_shape() const override;
  nlohmann::ordered_json spec() const override;
  std::optional<double> forward_lipschitz() const override { return 1.0; }
  std::optional<double> inverse_lipschitz() const override { return 1.0; }

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;

  SqueezeOptions options_;
};

}  // namespace contraflow
