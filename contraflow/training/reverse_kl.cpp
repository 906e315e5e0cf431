#include "contraflow/training/reverse_kl.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/core/options.h"
#include "contraflow/training/evaluation.h"
#include "contraflow/training/flat_parameters.h"
#include "contraflow/training/non_finite.h"

namespace contraflow {
namespace {

constexpr const char* kWhere = "fit_reverse_kl";

void check(const Flow& flow, const ReverseKlOptions& options) {
  check_options(options, kWhere);
  if (flow.condition_size() > 0) {
    fail<ConfigError>(kWhere, "flow", "an unconditional flow",
                      c10::str("a condition of width ", flow.condition_size()),
                      "Fit one flow for each condition.");
  }
  for (const at::Tensor& p : flow.base()->parameters()) {
    if (!p.requires_grad()) continue;
    fail<ConfigError>(kWhere, "base", "a base without trainable parameters",
                      "one whose samples carry no gradient", "Use base 'normal', or freeze it.");
  }
}

void require_finite(double value, const char* what, int64_t step, const std::string& origin) {
  if (std::isfinite(value)) return;
  fail<NumericsError>(kWhere, c10::str(what, " at step ", step + 1), "finite values", origin,
                      "Nothing was updated. Lower adam.learning_rate, or train in float64.");
}

void prepare(Flow& flow, int64_t count, const Rng& rng) {
  Context context;
  context.rng = rng.fork("prepare");
  context.phase = Phase::kTrain;
  const bool due = flow.transform()->prepare_needs_data();
  flow.prepare(due ? flow.sample(count, {.rng = rng.fork("prepare samples")}) : at::Tensor(),
               context);
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

MeanWithError fit_reverse_kl(Flow& flow, const Energy& energy, const ReverseKlOptions& options) {
  check(flow, options);
  FlatParameters flat(flow);
  Adam adam(flat, options.adam);
  MeanWithError loss;
  for (int64_t step = 0; step < options.steps; ++step) {
    const Rng rng = Rng(static_cast<uint64_t>(options.seed))
                        .fork("reverse_kl")
                        .fork(static_cast<uint64_t>(step));
    prepare(flow, options.batch_size, rng);
    flat.zero_gradients();
    const DifferentiableSample drawn = differentiable_sample(flow, options.batch_size, rng);
    const at::Tensor losses = drawn.log_prob + energy(drawn.sample);
    loss = weighted_mean(losses, {});
    require_finite(loss.mean, "loss", step, "a loss that is not");
    losses.mean().backward();
    const double norm = gradient_norm(flat);
    if (!std::isfinite(norm))
      require_finite(norm, "gradient", step, describe(find_in_gradients(flow, flat)));
    adam.step(options.adam.learning_rate);
  }
  flat.release_gradients();
  const at::NoGradGuard guard;
  flow.transform()->postpone_measurements();
  flow.prepare({}, {.condition = {}, .rng = Rng(0).fork("refresh")});
  return loss;
}

MeanWithError reverse_kl(const Flow& flow, const Energy& energy, int64_t count, const Rng& rng) {
  const at::NoGradGuard guard;
  const SampleWithLogProb drawn = flow.sample_and_log_prob(count, {.rng = rng});
  return weighted_mean(drawn.log_prob + energy(drawn.sample), {});
}

}  // namespace contraflow
