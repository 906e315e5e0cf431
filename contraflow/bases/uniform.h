#pragma once

#include "contraflow/bases/base.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow {

struct UniformOptions {
  /// Shape of one event.
  EventShape event = {};
  /// Ends of the interval of every coordinate; upper > lower.
  double lower = 0.0;
  double upper = 1.0;
};

template <class Field>
void visit(UniformOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
  field("lower", o.lower, "Lower end of every coordinate.");
  field("upper", o.upper, "Upper end of every coordinate.");
}

/// upper > lower, or ConfigError.
CF_EXPORT void validate(const UniformOptions& options);

/// Uniform on a cube:  log p(z) = -D log(upper - lower) inside (ends included), -inf outside.
///
/// Shapes     z: [B, D], log_prob: [B].
/// Types      float32, float64 (those of the buffer `anchor`, which holds nothing else).
/// Random     sample(): D uniform numbers a row. A temperature above 1 leaves the cube.
/// Throws     as Base; ConfigError at construction.
/// Example    Uniform base({.event = 2, .lower = -1});   base.sample(100, Rng(1));
class CF_EXPORT Uniform final : public Base {
 public:
  using Options = UniformOptions;
  static constexpr const char* kType = "uniform";
  static constexpr const char* kSummary = "uniform on a cube";
  static constexpr const char* kSource = "";

  explicit Uniform(UniformOptions options);
  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  bool has_full_support() const override { return false; }

 private:
  at::Tensor do_log_prob(const at::Tensor& z) const override;
  at::Tensor do_sample(int64_t count, const Rng& rng, double temperature) const override;
  at::TensorOptions tensor_options() const override;

  UniformOptions options_;
  at::Tensor anchor_;
};

}  // namespace contraflow
