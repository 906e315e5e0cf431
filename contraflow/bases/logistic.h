#pragma once

#include "contraflow/bases/base.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow {

struct LogisticOptions {
  /// Shape of one event.
  EventShape event = {};
};

template <class Field>
void visit(LogisticOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
}

/// Standard logistic in every coordinate:  p(z) = exp(-z) / (1 + exp(-z))^2, variance pi^2 / 3.
///
/// Shapes     z: [B, D], log_prob: [B]; finite for every finite z.
/// Types      float32, float64 (those of the buffer `anchor`, which holds nothing else).
/// Random     sample(): D uniform numbers a row; logit(u) times the temperature.
/// Throws     as Base.
/// Example    Logistic base({.event = 2});   base.sample(100, Rng(1));
class CF_EXPORT Logistic final : public Base {
 public:
  using Options = LogisticOptions;
  static constexpr const char* kType = "logistic";
  static constexpr const char* kSummary = "standard logistic, heavier tails than the normal";
  static constexpr const char* kSource = "";

  explicit Logistic(LogisticOptions options);
  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;

 private:
  at::Tensor do_log_prob(const at::Tensor& z) const override;
  at::Tensor do_sample(int64_t count, const Rng& rng, double temperature) const override;
  at::TensorOptions tensor_options() const override;

  LogisticOptions options_;
  at::Tensor anchor_;
};

}  // namespace contraflow
