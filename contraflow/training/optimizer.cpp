#include "contraflow/training/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>

namespace contraflow {
namespace {

// run(pointer to the elements) of a contiguous float32 or float64 tensor on the CPU.
template <class Run>
auto on_elements(const at::Tensor& t, Run run) {
  return t.scalar_type() == at::kFloat ? run(t.data_ptr<float>()) : run(t.data_ptr<double>());
}

double squares_of(const at::Tensor& t, double factor) {
  if (!t.device().is_cpu()) return t.to(at::kDouble).mul(factor).square_().sum().item<double>();
  return on_elements(t, [&](const auto* x) { return sum_of_squares(x, t.numel(), factor); });
}

double largest_of(const at::Tensor& t) {
  if (!t.device().is_cpu()) return t.abs().max().item<double>();
  return on_elements(t, [&](const auto* x) { return largest_magnitude(x, t.numel()); });
}

}  // namespace

int64_t warmup_of(const ScheduleOptions& options, int64_t steps) {
  constexpr int64_t kUsual = 100;
  return options.warmup_steps.value_or(steps == 0 ? kUsual : std::min(kUsual, steps / 10));
}

double schedule_factor(const ScheduleOptions& options, int64_t step, int64_t steps, double used) {
  const int64_t warmup = warmup_of(options, steps);
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (options.kind == Schedule::kConstant) return 1.0;
  const auto span = static_cast<double>(std::max<int64_t>(1, steps - 1 - warmup));
  const double by_steps = steps == 0 ? 0.0 : static_cast<double>(step - warmup) / span;
  const double done = std::min(1.0, std::max(by_steps, used));
  const double fall = 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  return options.final_fraction + (1.0 - options.final_fraction) * fall;
}

Adam::Adam(const FlatParameters& parameters, const AdamOptions& options)
    : options_(options),
      values_(parameters.values()),
      gradients_(parameters.gradients()),
      first_(parameters.zeros()),
      second_(parameters.zeros()) {}

void Adam::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double decay = options_.weight_decay;
  AdamCoefficients c;
  c.first_weight = 1.0 - options_.beta1;
  c.second_decay = options_.beta2;
  c.second_weight = 1.0 - options_.beta2;
  c.rate = learning_rate / (1.0 - std::pow(options_.beta1, t));
  c.root_scale = 1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t));
  c.epsilon = options_.epsilon;
  if (options_.decoupled) c.shrink = 1.0 - learning_rate * decay;
  if (!options_.decoupled) c.l2_decay = decay;
  for (size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].device().is_cpu()) {
      update_by_loop(i, c);
    } else {
      update_composed(i, c);
    }
  }
}

void Adam::update_by_loop(size_t i, const AdamCoefficients& c) {
  on_elements(values_[i], [&](auto* value) {
    using T = std::remove_pointer_t<decltype(value)>;
    adam_update(value, gradients_[i].const_data_ptr<T>(), first_[i].data_ptr<T>(),
                second_[i].data_ptr<T>(), values_[i].numel(), c);
  });
}

void Adam::update_composed(size_t i, const AdamCoefficients& c) {
  const at::Tensor gradient =
      c.l2_decay > 0.0 ? gradients_[i].add(values_[i], c.l2_decay) : gradients_[i];
  first_[i].lerp_(gradient, c.first_weight);
  second_[i].mul_(c.second_decay).addcmul_(gradient, gradient, c.second_weight);
  const at::Tensor root = second_[i].sqrt().mul_(c.root_scale).add_(c.epsilon);
  values_[i].mul_(c.shrink).addcdiv_(first_[i], root, -c.rate);
}

double gradient_norm(const FlatParameters& parameters) {
  const at::NoGradGuard no_grad;
  double squares = 0.0, largest = 0.0;
  for (const at::Tensor& g : parameters.gradients()) squares += squares_of(g, 1.0);
  if (std::isfinite(squares)) return std::sqrt(squares);
  // Squares of finite float64 numbers may overflow: once more, scaled.
  for (const at::Tensor& g : parameters.gradients()) {
    const double here = largest_of(g);
    if (!std::isfinite(here)) return here;
    largest = std::max(largest, here);
  }
  squares = 0.0;
  for (const at::Tensor& g : parameters.gradients()) squares += squares_of(g, 1.0 / largest);
  return largest * std::sqrt(squares);
}

void clip_gradients(FlatParameters& parameters, double norm, double max_norm) {
  if (norm <= max_norm) return;
  for (at::Tensor g : parameters.gradients()) g.mul_(max_norm / norm);
}

}  // namespace contraflow
