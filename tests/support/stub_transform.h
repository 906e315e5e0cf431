#pragma once

#include <ATen/ATen.h>

#include "contraflow/core/event_shape.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow::testing {

/// z = scale * x + shift * condition, with numbers a test chooses for everything a caller may see.
class StubTransform final : public Transform, public Lowerable {
 public:
  struct Settings {
    int64_t event = 2;
    double scale = 1.0;
    double shift = 0.0;
    int64_t condition = 0;
    bool needs_data = false;
    std::optional<double> lipschitz = std::nullopt;  ///< Claimed for both directions.
    double solve_error = 0.0;                        ///< 0 = undefined
    double bias = 0.0;                               ///< 0 = undefined
    double noise = 0.0;  ///< Deviation of a random number added to log_det.
  };

  explicit StubTransform(Settings settings) : s_(settings) {}

  std::vector<int64_t> event_shape() const override { return {s_.event}; }
  std::vector<int64_t> condition_shape() const override { return EventShape(s_.condition).sizes(); }
  bool prepare_needs_data() const override { return s_.needs_data; }
  std::optional<double> forward_lipschitz() const override { return s_.lipschitz; }
  std::optional<double> inverse_lipschitz() const override { return s_.lipschitz; }

  const Lowerable* lowerable() const override { return this; }
  bool lower(TileLowering& /*to*/, const Context& /*context*/, bool /*inverse*/) const override {
    ++lowerings;
    return false;
  }

  std::vector<at::Tensor> prepared;  ///< What prepare() got, call by call; may be undefined.
  mutable int forwards = 0;
  mutable int lowerings = 0;  ///< How often a chain asked for kernels; there are none.

 private:
  at::Tensor offset(const Context& context) const {
    return s_.condition > 0 ? s_.shift * context.condition.sum(1, true) : at::zeros({1});
  }
  TransformOutput output(const at::Tensor& value, double log_det, const Context& context) const {
    const at::Tensor ones = at::ones({value.size(0)}, value.options());
    const auto when = [&ones](double v) { return v > 0.0 ? v * ones : at::Tensor(); };
    at::Tensor log_dets = log_det * ones;
    if (s_.noise > 0.0) {
      log_dets = log_dets + s_.noise * context.rng.normal({value.size(0)}, value.options());
    }
    return {value, log_dets, when(s_.bias), when(s_.solve_error)};
  }
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override {
    ++forwards;
    return output(s_.scale * x + offset(context),
                  static_cast<double>(s_.event) * std::log(s_.scale), context);
  }
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override {
    return output((z - offset(context)) / s_.scale,
                  -static_cast<double>(s_.event) * std::log(s_.scale), context);
  }
  void do_prepare(const at::Tensor& x, const Context&) override {
    prepared.push_back(x);
    s_.needs_data = false;
  }

  Settings s_;
};

inline std::shared_ptr<StubTransform> stub(StubTransform::Settings settings) {
  return std::make_shared<StubTransform>(settings);
}

}  // namespace contraflow::testing
