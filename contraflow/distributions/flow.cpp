#include "contraflow/distributions/flow.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "contraflow/core/check.h"
#include "contraflow/core/defined.h"
#include "contraflow/core/error.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {
namespace {

void check_data(const char* where, const at::Tensor& x, at::IntArrayRef event,
                const Context& context) {
  check_event(where, "x", x, event);
  check_not_empty(where, "x", x);
  check_floating(where, "x", x);
  check_finite(where, "x", x);
  if (context.condition.defined()) check_finite(where, "condition", context.condition);
}

// The condition [count, shape] of samples; what it is missing is named as the caller knows it.
void check_given(const char* where, const at::Tensor& condition, int64_t count,
                 std::vector<int64_t> shape) {
  if (condition.defined()) {
    check_finite(where, "condition", condition);
  } else if (!shape.empty()) {
    shape.insert(shape.begin(), count);
    fail<ShapeError>(where, "condition", c10::str(at::IntArrayRef(shape)), "no tensor",
                     "Set SampleArguments::condition, one row for each sample.");
  }
}

/// The logarithm of the mean of exp(v) over the first axis of v [R, B], and its standard error.
void add_log_mean(const at::Tensor& v, LogProbWithError& out) {
  const at::Tensor top = std::get<0>(v.max(0));
  // A row outside of the support has weights exp(-inf + inf): they are 0.
  const at::Tensor weight = at::where(v.isinf(), at::zeros_like(v), (v - top).exp());
  const at::Tensor mean = weight.mean(0);
  out.log_mean = top + at::where(mean.gt(0), mean, at::ones_like(mean)).log();
  const at::Tensor error =
      weight.std(0, /*unbiased=*/true) / (mean * std::sqrt(static_cast<double>(v.size(0))));
  out.log_mean_error = at::where(at::isfinite(error), error, at::zeros_like(error));
}

/// Mean over the first axis of v [R, B], and its standard error. Deviations are taken from the
/// first replicate: equal replicates give an error of exactly 0.
LogProbWithError reduce_replicates(const at::Tensor& v) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const int64_t replicates = v.size(0);
  const at::Tensor first = v[0];
  // Outside the support every replicate is -inf, and -inf - -inf would be NaN.
  const at::Tensor deviation = at::where(v.eq(first), at::zeros_like(v), v - first);
  const at::Tensor mean = first + deviation.mean(0);
  const at::Tensor error =
      deviation.std(0, /*unbiased=*/true) / std::sqrt(static_cast<double>(replicates));
  const at::Tensor any_outside = v.eq(-kInfinity).any(0);
  return {at::where(any_outside, at::full_like(mean, -kInfinity), mean),
          at::where(at::isfinite(error), error, at::full_like(error, kInfinity)),
          {},
          replicates};
}

}  // namespace

Flow::Flow(TransformPtr transform, BasePtr base) {
  if (!transform || !base) {
    fail<ConfigError>("Flow", transform ? "base" : "transform", "an object", "null", "Pass one.");
  }
  if (transform->latent_shape() != base->event_shape()) {
    fail<ConfigError>("Flow", "base",
                      c10::str("events of shape ", at::IntArrayRef(transform->latent_shape()),
                               ", the latents of the transform"),
                      c10::str(at::IntArrayRef(base->event_shape())),
                      "Give the base the dimension of the transform.");
  }
  transform_ = register_module("transform", std::move(transform));
  base_ = register_module("base", std::move(base));
}

at::Tensor Flow::log_prob(const at::Tensor& x, const Context& context) const {
  check_data("Flow.log_prob", x, event_shape(), context);
  const TransformOutput out = transform_->forward(x, context);
  return base_->log_prob(out.value) + out.log_det;
}

at::Tensor Flow::add_log_prob_gradient(const at::Tensor& x, const at::Tensor& weight,
                                       const Context& context) const {
  constexpr const char* kWhere = "Flow.add_log_prob_gradient";
  check_data(kWhere, x, event_shape(), context);
  if (weight.dim() != 1 || weight.size(0) != x.size(0)) {
    fail<ShapeError>(kWhere, "weight", c10::str("[", x.size(0), "]"), c10::str(weight.sizes()),
                     "Give one weight per row.");
  }
  const at::Tensor own = first_floating_tensor(*transform_);
  const bool any_type = transform_->data_side() && own.defined();
  check_same_kind(kWhere, "weight", weight, any_type ? own : x);
  if (own.defined() && !any_type) check_same_kind(kWhere, "x", x, own);
  Context direct = context;
  direct.hints.direct_gradients = true;
  if (const kernels::RowScore* score = base_->row_score()) {
    if (const auto z = add_lowered_gradient(*transform_, x.detach(), weight, *score, direct)) {
      const at::NoGradGuard guard;
      const at::Tensor log_prob = base_->log_prob(z->value) + z->log_det;
      return add_defined(log_prob, z->log_det_before);
    }
  }
  const at::AutoGradMode enabled(true);
  const at::Tensor log_prob = this->log_prob(x, direct);
  if (log_prob.requires_grad()) log_prob.backward(weight.to(log_prob.scalar_type()));
  return log_prob.detach();
}

LogProbWithError Flow::log_prob_with_error(const at::Tensor& x, const Context& context,
                                           int64_t replicates) const {
  if (replicates < 2) {
    fail<DomainError>("Flow.log_prob_with_error", "replicates", ">= 2", std::to_string(replicates),
                      "One evaluation has no error; use log_prob().");
  }
  check_data("Flow.log_prob_with_error", x, event_shape(), context);
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> values;
  at::Tensor bias = at::zeros({x.size(0)}, x.options().dtype(at::kDouble));
  for (int64_t k = 0; k < replicates; ++k) {
    const TransformOutput out = transform_->forward(x, context.fork(static_cast<uint64_t>(k)));
    const at::Tensor base = base_->log_prob(out.value).to(at::kDouble);
    values.push_back(base + out.log_det.to(at::kDouble));
    if (out.log_det_bias_bound.defined()) bias += out.log_det_bias_bound.to(at::kDouble);
  }
  const at::Tensor all = at::stack(values);
  LogProbWithError result = reduce_replicates(all);
  add_log_mean(all, result);
  result.bias_bound = bias / static_cast<double>(replicates);  // |mean of biases| <= mean of bounds
  return result;
}

bool Flow::noise_only() const {
  bool any = false;
  for (const Member& leaf : leaves_of(transform_)) {
    if (leaf.transform->randomness(Phase::kEvaluate) == Randomness::kNone) continue;
    if (leaf.transform->bijective()) return false;
    any = true;
  }
  return any;
}

Flow::Draw Flow::draw(const char* where, int64_t count, const SampleArguments& arguments,
                      Phase phase, bool wants_log_det) const {
  check_given(where, arguments.condition, count, condition_shape());
  const at::Tensor z = base_->sample(count, arguments.rng.fork("base"), arguments.temperature);
  Context context;
  context.condition = arguments.condition;
  context.rng = arguments.rng.fork("transform");
  context.phase = phase;
  context.hints.wants_log_det = wants_log_det;
  return {z, transform_->inverse(z, context)};
}

SampleWithLogProb Flow::with_log_prob(const Draw& drawn, bool wants_log_prob) const {
  SampleWithLogProb out{drawn.output.value, {}, drawn.output.solve_error_bound};
  if (wants_log_prob) out.log_prob = base_->log_prob(drawn.latent) - drawn.output.log_det;
  if (!out.error_bound.defined())
    out.error_bound =
        at::zeros({drawn.latent.size(0)}, drawn.latent.options().requires_grad(false));
  return out;
}

at::Tensor Flow::sample(int64_t count, const SampleArguments& arguments) const {
  const at::NoGradGuard no_grad;
  return draw("Flow.sample", count, arguments, Phase::kEvaluate, /*wants_log_det=*/false)
      .output.value;
}

SampleWithLogProb Flow::sample_and_log_prob(int64_t count, const SampleArguments& arguments) const {
  const at::NoGradGuard no_grad;
  return with_log_prob(draw("Flow.sample_and_log_prob", count, arguments, Phase::kEvaluate,
                            arguments.wants_log_prob),
                       arguments.wants_log_prob);
}

SampleWithLogProb Flow::rsample_and_log_prob(int64_t count,
                                             const SampleArguments& arguments) const {
  const at::AutoGradMode enabled(true);
  return with_log_prob(draw("Flow.rsample_and_log_prob", count, arguments, Phase::kTrain,
                            /*wants_log_det=*/true),
                       /*wants_log_prob=*/true);
}

void Flow::prepare(const at::Tensor& x, const Context& context) {
  if (x.defined() || transform_->prepare_needs_data()) {
    check_data("Flow.prepare", x, event_shape(), context);
  }
  transform_->prepare(x, context);
}

}  // namespace contraflow
