#include "contraflow/training/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace contraflow {

double schedule_factor(const ScheduleOptions& options, int64_t step, int64_t steps) {
  if (step < options.warmup_steps) {
    return static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps);
  }
  if (options.kind == Schedule::kConstant) return 1.0;
  const auto span = static_cast<double>(std::max<int64_t>(1, steps - 1 - options.warmup_steps));
  const double done = std::min(1.0, static_cast<double>(step - options.warmup_steps) / span);
  const double fall = 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  return options.final_fraction + (1.0 - options.final_fraction) * fall;
}

Adam::Adam(const FlatParameters& parameters, const AdamOptions& options)
    : options_(options),
      values_(parameters.values()),
      gradients_(parameters.gradients()),
      first_(parameters.zeros()),
      second_(parameters.zeros()),
      scratch_(parameters.zeros()) {}

void Adam::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  ++steps_;
  for (size_t i = 0; i < values_.size(); ++i) update(i, learning_rate);
}

void Adam::update(size_t i, double learning_rate) {
  const auto t = static_cast<double>(steps_);
  const double correction1 = 1.0 - std::pow(options_.beta1, t);
  const double correction2 = 1.0 - std::pow(options_.beta2, t);
  const double decay = options_.weight_decay;
  at::Tensor gradient = gradients_[i];
  if (decay > 0.0 && options_.decoupled) values_[i].mul_(1.0 - learning_rate * decay);
  if (decay > 0.0 && !options_.decoupled) gradient = gradient.add(values_[i], decay);
  first_[i].lerp_(gradient, 1.0 - options_.beta1);
  second_[i].mul_(options_.beta2).addcmul_(gradient, gradient, 1.0 - options_.beta2);
  at::sqrt_out(scratch_[i], second_[i]);
  scratch_[i].div_(std::sqrt(correction2)).add_(options_.epsilon);
  values_[i].addcdiv_(first_[i], scratch_[i], -learning_rate / correction1);
}

double gradient_norm(const FlatParameters& parameters) {
  const at::NoGradGuard no_grad;
  double squares = 0.0;
  for (const at::Tensor& g : parameters.gradients()) {
    double norm = at::linalg_vector_norm(g).item<double>();
    if (!std::isfinite(norm)) norm = at::linalg_vector_norm(g.to(at::kDouble)).item<double>();
    squares += norm * norm;
  }
  return std::sqrt(squares);
}

void clip_gradients(FlatParameters& parameters, double norm, double max_norm) {
  if (norm <= max_norm) return;
  for (at::Tensor g : parameters.gradients()) g.mul_(max_norm / norm);
}

}  // namespace contraflow
