#pragma once

#include "contraflow/bases/base.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow {

struct NormalOptions {
  /// Shape of one event.
  EventShape event = {};
};

template <class Field>
void visit(NormalOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
}

/// Standard normal:  log p(z) = -|z|^2 / 2 - D log(2 pi) / 2.
///
/// Shapes     z: [B, D], log_prob: [B].
/// Types      float32, float64 (those of the buffer `anchor`, which holds nothing else).
/// Random     sample(): D normal numbers a row, times the temperature.
/// Throws     as Base.
/// Example    Normal base({.event = 2});   base.sample(100, Rng(1));
class CF_EXPORT Normal final : public Base, public kernels::RowScore {
 public:
  using Options = NormalOptions;
  static constexpr const char* kType = "normal";
  static constexpr const char* kSummary = "standard normal";
  static constexpr const char* kSource = "";

  explicit Normal(NormalOptions options);
  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  const kernels::RowScore* row_score() const override { return this; }
  void score(const float* z, int64_t rows, int64_t columns, float* out) const override;
  void score(const double* z, int64_t rows, int64_t columns, double* out) const override;

 private:
  at::Tensor do_log_prob(const at::Tensor& z) const override;
  at::Tensor do_sample(int64_t count, const Rng& rng, double temperature) const override;
  at::TensorOptions tensor_options() const override;

  NormalOptions options_;
  at::Tensor anchor_;
};

}  // namespace contraflow
