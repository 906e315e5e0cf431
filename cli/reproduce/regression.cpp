#include "cli/reproduce/regression.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/transforms/scale.h"

namespace contraflow::cli {
namespace {

// t(w) = clamp(max(a w+, (w - 1 + a) / a), 0, 1): a slope of a, then a step of width a.
at::Tensor soft_step(const at::Tensor& w) {
  constexpr double kWidth = 0.05;
  return at::maximum(kWidth * w.clamp_min(0.0), (w - 1.0 + kWidth) / kWidth).clamp(0.0, 1.0);
}

at::Tensor stretched(TargetKind kind, const at::Tensor& unit) {
  const Interval interval = target_interval(kind);
  return interval.lower + (interval.upper - interval.lower) * unit;
}

}  // namespace

Interval target_interval(TargetKind kind) {
  return kind == TargetKind::kMultistep ? Interval{-2.0, 2.0} : Interval{-1.0, 1.0};
}

at::Tensor target_value(TargetKind kind, const at::Tensor& x) {
  if (kind == TargetKind::kTwoSlopes) return at::where(x > 0.0, 10.0 * x, 0.1 * x);
  return soft_step(x + 2.0) + soft_step(x + 1.0) + soft_step(x) + soft_step(x - 1.0);
}

at::Tensor uniform_points(TargetKind kind, int64_t count, const Rng& rng) {
  return stretched(kind, rng.uniform({count, 1}, at::TensorOptions(at::kDouble)));
}

at::Tensor stratified_points(TargetKind kind, int64_t count, const Rng& rng) {
  const at::TensorOptions exact(at::kDouble);
  const at::Tensor part = at::arange(count, exact).unsqueeze(1);
  return stretched(kind, (part + rng.uniform({count, 1}, exact)) / static_cast<double>(count));
}

FlowPtr build_map(const MapOptions& options) {
  nlohmann::ordered_json members = nlohmann::ordered_json::array();
  int64_t networks = 0;
  for (const FormKind form : options.forms) {
    members.push_back(spec_of<ContractiveBlock>(
        ContractiveBlockOptions{.event = 1,
                                .form = form,
                                .net = options.net,
                                .train_log_det = ExactLogDet{},
                                .eval_log_det = ExactLogDet{},
                                .solver = options.solver,
                                .train_tolerance = options.train_tolerance,
                                .tolerance = options.tolerance,
                                .backward_tolerance = options.backward_tolerance,
                                .seed = options.seed * 1'000'003 + networks++}));
    if (options.scaling) members.push_back(spec_of<Scale>(ScaleOptions{.event = 1}));
  }
  return build_flow({chain_spec(std::move(members)), {{"type", "normal"}, {"event", 1}}}, "map");
}

void LeastSquares::check(const TrainingOptions& options) const {
  if (options.validate_every == 0) return;
  fail<ConfigError>("reproduce", "training.validate_every", "0: every point is a fresh one",
                    std::to_string(options.validate_every), "Leave it out.");
}

StepLoss LeastSquares::add_gradient(const ObjectiveStep& step) const {
  const Rng rng = rng_.fork("train").fork(static_cast<uint64_t>(step.index));
  const RowShare share = share_of(step.batch_size, step.collective);
  const at::Tensor x = stratified_points(target_, share.rows, rng.fork("points"))
                           .narrow(0, share.begin, share.size())
                           .to(step.kind);
  Context context{.rng = rng.fork("map").rows_from(share.begin),
                  .phase = Phase::kTrain,
                  .hints = {.wants_log_det = false}};
  prepare(flow()->transform()->prepare_needs_data() ? x : at::Tensor(), context, step.collective);
  const at::Tensor y = flow()->transform()->forward(x, context).value;
  const at::Tensor square = (y - target_value(target_, x)).square();
  mean_part(square, share).backward();
  context.hints.wants_log_det = true;  // whoever looks for the origin of a NaN
  return {{square.detach().flatten(), {}, share}, x, context};
}

RowLosses LeastSquares::validate(const ValidationStep&) const {
  fail<ConfigError>("reproduce", "validation", "none for fresh points", "one",
                    "Do not ask for it.");
}

Rng regression_rng(const RegressionConfig& config) {
  return Rng(static_cast<uint64_t>(config.training.seed)).fork("regression");
}

}  // namespace contraflow::cli
