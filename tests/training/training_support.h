#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "contraflow/bases/diagonal_normal.h"
#include "contraflow/data/sources.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/trainer.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/chain.h"
#include "tests/support/temp_folder.h"

namespace contraflow::testing {

/// z = x exp(w) / bound. The bound is a buffer that prepare() moves halfway towards 1 + max|w|, so
/// it depends on how often and with which weights it was prepared, as norms with a warm start do.
/// The log-determinant carries unbiased noise. Faults can be asked for.
class Normed final : public Transform {
 public:
  enum class Fault { kNone, kForward, kBackward };

  explicit Normed(double noise = 0.01, Fault fault = Fault::kNone, int64_t fault_at = 0)
      : noise_(noise), fault_(fault), fault_at_(fault_at) {
    weight_ = register_parameter("weight", at::full({2}, 0.1));
    bound_ = register_buffer("bound", at::ones({}, at::kDouble));
    calls_ = register_buffer("calls", at::zeros({}, at::kLong));
  }
  std::vector<int64_t> event_shape() const override { return {2}; }
  using Transform::to;
  void to(torch::Dtype dtype, bool non_blocking) override {
    const at::Tensor bound = bound_.clone(), calls = calls_.clone();
    Transform::to(dtype, non_blocking);
    bound_.set_data(bound);
    calls_.set_data(calls);
  }

  static double fresh_bound(const at::Tensor& weight) {
    return 1.0 + weight.abs().max().item<double>();
  }

 private:
  bool faulty(Fault fault) const { return fault_ == fault && calls_.item<int64_t>() >= fault_at_; }
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override {
    const double bound = bound_.item<double>();
    at::Tensor value = x * weight_.exp() / bound;
    if (faulty(Fault::kForward)) value = value / (weight_ - weight_);
    // The root of zero: fine forward, infinite slope backward, for the weight and for x.
    if (faulty(Fault::kBackward)) value = value + (weight_ * (x - x.detach())).abs().sqrt();
    const at::Tensor noise = noise_ * context.rng.normal({x.size(0)}, x.options());
    return {value, weight_.sum() - 2.0 * std::log(bound) + noise, {}, {}};
  }
  TransformOutput do_inverse(const at::Tensor& z, const Context&) const override {
    const double bound = bound_.item<double>();
    return {z * bound / weight_.exp(),
            (2.0 * std::log(bound) - weight_.sum()).repeat({z.size(0)}),
            {},
            {}};
  }
  void do_prepare(const at::Tensor&, const Context&) override {
    bound_.mul_(0.5).add_(0.5 * fresh_bound(weight_));
    calls_.add_(1);
  }

  double noise_;
  Fault fault_;
  int64_t fault_at_;
  at::Tensor weight_, bound_, calls_;
};

inline FlowPtr small_flow(std::shared_ptr<Normed> second = std::make_shared<Normed>()) {
  const auto chain = std::make_shared<Chain>(std::vector<TransformPtr>{
      std::make_shared<ActNorm>(ActNormOptions{.event = 2}), std::move(second)});
  return std::make_shared<Flow>(
      chain, std::make_shared<DiagonalNormal>(DiagonalNormalOptions{.event = 2}));
}

inline data::SourcePtr normal_rows(int64_t rows, uint64_t seed) {
  const at::Tensor x = Rng(seed).fork("rows").normal({rows, 2}, at::kFloat) * 2.0 + 1.0;
  return std::make_shared<data::TensorSource>("rows", x, at::Tensor(), at::Tensor(), Rng(seed));
}

/// No test split: whoever read it would crash.
inline data::Splits small_splits() { return {normal_rows(300, 1), normal_rows(100, 2), nullptr}; }

inline TrainingOptions small_options() {
  TrainingOptions o;
  o.steps = 40;
  o.batch_size = 32;
  o.adam.learning_rate = 0.02;
  o.schedule = {.kind = Schedule::kCosine, .warmup_steps = 5, .final_fraction = 0.1};
  o.ema_decay = 0.9;
  o.validate_every = 8;
  o.validation_rows = 80;
  o.checkpoint_every = 10;
  o.init_rows = 200;
  o.log_every = 4;
  return o;
}

}  // namespace contraflow::testing
