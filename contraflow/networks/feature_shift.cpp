#include "contraflow/networks/feature_shift.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "contraflow/core/rng.h"

namespace contraflow {
namespace {

// The sum over the positions of each event, [b, o].
at::Tensor over_positions(const at::Tensor& t) {
  return t.dim() == 2 ? t : t.flatten(1, -2).sum(1);
}

}  // namespace

at::Tensor for_each_position(const at::Tensor& shift, int64_t axes) {
  std::vector<int64_t> sizes(static_cast<size_t>(axes), 1);
  sizes.front() = shift.size(0);
  sizes.back() = shift.size(1);
  return shift.view(sizes);
}

void draw_uniform(const Rng& rng, std::string_view tag, const at::Tensor& parameter, double limit) {
  const at::NoGradGuard guard;
  parameter.copy_(rng.fork(tag).uniform(parameter.sizes(), at::kDouble).mul(2).sub(1).mul(limit));
}

FeatureShift::FeatureShift(torch::nn::Module& owner, int64_t features, int64_t condition) {
  bias_ = owner.register_parameter("bias", at::zeros({features}));
  if (condition > 0)
    condition_weight_ =
        owner.register_parameter("condition_weight", at::zeros({features, condition}));
}

void FeatureShift::initialise(const Rng& rng, double limit) {
  draw_uniform(rng, "bias", bias_, limit);
  if (!condition_weight_.defined()) return;
  draw_uniform(rng, "condition_weight", condition_weight_,
               1 / std::sqrt(static_cast<double>(condition_weight_.size(1))));
}

void FeatureShift::bind(Tape& tape, const at::Tensor& condition) const {
  tape.shift = bias_.detach();
  if (!condition_weight_.defined()) return;
  tape.condition = condition.detach();
  tape.shift = at::addmm(tape.shift, tape.condition, condition_weight_.detach().t());
}

void FeatureShift::add_gradients(const Tape& tape, const at::Tensor& by_value,
                                 GradientMap& gradients, at::Tensor& condition_gradient) const {
  gradients.add(bias_, by_value.reshape({-1, by_value.size(-1)}).sum(0));
  if (!condition_weight_.defined()) return;
  const at::Tensor of_event = over_positions(by_value);
  gradients.add(condition_weight_, of_event.t().mm(tape.condition));
  const at::Tensor term = of_event.mm(condition_weight_.detach());
  condition_gradient = condition_gradient.defined() ? condition_gradient + term : term;
}

}  // namespace contraflow
