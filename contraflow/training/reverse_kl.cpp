#include "contraflow/training/reverse_kl.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/data/weights.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {
namespace {

constexpr const char* kFitReverseKl = "fit_reverse_kl";

void prepare(Flow& flow, int64_t count, const Rng& rng) {
  Context context;
  context.rng = rng.fork("prepare");
  context.phase = Phase::kTrain;
  const bool due = flow.transform()->prepare_needs_data();
  flow.prepare(due ? flow.sample(count, {.rng = rng.fork("prepare samples")}) : at::Tensor(),
               context);
}

// log q(x) + U(x) [count] of samples, `batch_size` at a time.
at::Tensor sample_losses(const Flow& flow, const Energy& energy, int64_t count, int64_t batch_size,
                         const Rng& rng) {
  const at::NoGradGuard guard;
  std::vector<at::Tensor> losses;
  for (int64_t begin = 0; begin < count; begin += batch_size) {
    const SampleWithLogProb drawn = flow.sample_and_log_prob(std::min(batch_size, count - begin),
                                                             {.rng = rng.rows_from(begin)});
    losses.push_back((drawn.log_prob + energy(drawn.sample)).to(at::kDouble));
  }
  return at::cat(losses);
}

}  // namespace

DifferentiableSample differentiable_sample(const Flow& flow, int64_t count, const Rng& rng) {
  at::Tensor z;
  {
    const at::NoGradGuard guard;
    z = flow.base()->sample(count, rng.fork("base"));
  }
  Context context;
  context.rng = rng.fork("transform");
  context.phase = Phase::kTrain;
  const TransformOutput out = flow.transform()->inverse(z, context);
  return {out.value, flow.base()->log_prob(z) - out.log_det};
}

void ReverseKl::check(const Flow& flow, const TrainingOptions& options) const {
  if (options.objective != ObjectiveKind::kReverseKl) {
    fail<ConfigError>(kFitReverseKl, "training.objective", "\"reverse_kl\" for an energy",
                      "\"" + std::string(enum_name(options.objective)) + "\"",
                      "Use fit() with rows of data.");
  }
  if (flow.conditional()) {
    fail<ConfigError>(kFitReverseKl, "flow", "an unconditional flow",
                      c10::str("conditions of shape ", at::IntArrayRef(flow.condition_shape())),
                      "Fit one flow for each condition.");
  }
  for (const at::Tensor& p : flow.base()->parameters()) {
    if (!p.requires_grad()) continue;
    fail<ConfigError>(kFitReverseKl, "base", "a base without trainable parameters",
                      "one whose samples carry no gradient", "Use base 'normal', or freeze it.");
  }
}

void ReverseKl::initialise(Flow& flow, int64_t rows, const at::TensorOptions& /*kind*/,
                           const Rng& rng) const {
  prepare(flow, rows, rng);
}

StepLoss ReverseKl::add_gradient(Flow& flow, const ObjectiveStep& step) const {
  prepare(flow, step.batch_size, step.rng);
  const DifferentiableSample drawn = differentiable_sample(flow, step.batch_size, step.rng);
  const at::Tensor losses = drawn.log_prob + energy_(drawn.sample);
  losses.mean().backward();
  return {weighted_mean(losses, {}), drawn.sample.detach(), {}};
}

MeanWithError ReverseKl::validate(const Flow& flow, int64_t rows, int64_t batch_size,
                                  const Rng& rng) const {
  return weighted_mean(sample_losses(flow, energy_, rows, batch_size, rng), {});
}

std::string ReverseKl::origin(const Flow& /*flow*/, const FlatParameters& /*parameters*/,
                              const StepLoss& step) const {
  const at::NoGradGuard guard;
  const at::Tensor bad = at::isfinite(energy_(step.x)).logical_not();
  if (!bad.any().item<bool>()) return "a sample of the flow, or its log-density, that is not";
  const at::Tensor x =
      step.x[bad.nonzero()[0].item<int64_t>()].to(at::kCPU, at::kDouble).contiguous();
  return c10::str("an energy that is not, at x = ",
                  at::ArrayRef<double>(x.const_data_ptr<double>(), static_cast<size_t>(x.numel())));
}

TrainReport fit_reverse_kl(Flow& flow, const Energy& energy, TrainingOptions options,
                           const TrainerHooks& hooks) {
  options.objective = ObjectiveKind::kReverseKl;
  return fit(flow, ReverseKl(energy), options, hooks);
}

ReverseKlReport measure_reverse_kl(const Flow& flow, const Energy& energy, int64_t count,
                                   const Rng& rng) {
  constexpr int64_t kChunk = 4096;
  const at::Tensor losses = sample_losses(flow, energy, count, kChunk, rng);
  ReverseKlReport out;
  out.loss = weighted_mean(losses, {});
  const double largest = (-losses).max().item<double>();
  const at::Tensor ratios = at::exp(-losses - largest);  // exp(-U) / q over its largest
  out.log_z = largest + std::log(ratios.mean().item<double>());
  out.effective_rows = data::effective_rows(ratios);
  const auto rows = static_cast<double>(count);
  // Error of the mean ratio over the mean ratio.
  out.log_z_error = std::sqrt(std::max(0.0, 1.0 / out.effective_rows - 1.0 / rows));
  return out;
}

}  // namespace contraflow
