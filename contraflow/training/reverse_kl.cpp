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

// log q(x) + U(x) [share.size()] of samples, `batch_size` at a time; sample r is row r of `rng`.
at::Tensor sample_losses(const Flow& flow, const Energy& energy, const RowShare& share,
                         int64_t batch_size, const Rng& rng) {
  const at::NoGradGuard guard;
  std::vector<at::Tensor> losses;
  for (int64_t begin = share.begin; begin < share.end; begin += batch_size) {
    const SampleWithLogProb drawn = flow.sample_and_log_prob(
        std::min(batch_size, share.end - begin), {.rng = rng.rows_from(begin)});
    losses.push_back((drawn.log_prob + energy(drawn.sample)).to(at::kDouble));
  }
  return at::cat(losses);
}

}  // namespace

// All samples on every rank: few steps take any.
void ReverseKl::prepare_by_samples(int64_t count, const Rng& rng, Collective* collective) const {
  const bool due = flow()->transform()->prepare_needs_data();
  prepare(due ? flow()->sample(count, {.rng = rng.fork("prepare samples")}) : at::Tensor(),
          {.condition = {}, .rng = rng.fork("prepare"), .phase = Phase::kTrain}, collective);
}

void ReverseKl::check(const TrainingOptions& /*options*/) const {
  if (flow()->conditional()) {
    fail<ConfigError>(kFitReverseKl, "flow", "an unconditional flow",
                      c10::str("conditions of shape ", at::IntArrayRef(flow()->condition_shape())),
                      "Fit one flow for each condition.");
  }
  if (flow()->base()->has_pathwise_draws()) return;
  fail<ConfigError>(kFitReverseKl, "base", "a base whose draws have gradients in all it learns",
                    "one that chooses at random by learned weights",
                    "Use base 'normal' or 'diagonal_normal', or freeze those weights.");
}

void ReverseKl::initialise(int64_t rows, const at::TensorOptions& /*kind*/, const Rng& rng) const {
  prepare_by_samples(rows, rng, nullptr);
}

StepLoss ReverseKl::add_gradient(const ObjectiveStep& step) const {
  prepare_by_samples(step.batch_size, step.rng, step.collective);
  const RowShare share = share_of(step.batch_size, step.collective);
  const SampleWithLogProb drawn =
      flow()->rsample_and_log_prob(share.size(), {.rng = step.rng.rows_from(share.begin)});
  const at::Tensor losses = drawn.log_prob + energy_(drawn.sample);
  mean_part(losses, share).backward();
  return {{losses.detach(), {}, share}, drawn.sample.detach(), {}};
}

RowLosses ReverseKl::validate(const ValidationStep& step) const {
  const RowShare share = share_of(step.rows, step.collective);
  return {sample_losses(*flow(), energy_, share, step.batch_size, step.rng), {}, share};
}

std::string ReverseKl::origin(const FlatParameters& /*parameters*/, const StepLoss& step) const {
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
  options.objective = ReverseKl::kName;
  return fit(ReverseKl(borrowed(flow), energy), options, hooks);
}

ReverseKlReport measure_reverse_kl(const Flow& flow, const Energy& energy, int64_t count,
                                   const Rng& rng) {
  constexpr int64_t kChunk = 4096;
  const at::Tensor losses = sample_losses(flow, energy, {0, count, count}, kChunk, rng);
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
