#include "cli/reproduce/regression.h"

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/runs/run_config.h"
#include "contraflow/training/checkpoint.h"
#include "contraflow/training/ema.h"
#include "contraflow/training/evaluation.h"
#include "contraflow/training/flat_parameters.h"
#include "contraflow/training/non_finite.h"
#include "contraflow/transforms/scale.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

// t(w) = clamp(max(a w+, (w - 1 + a) / a), 0, 1): a slope of a, then a step of width a.
at::Tensor soft_step(const at::Tensor& w) {
  constexpr double kWidth = 0.05;
  return at::maximum(kWidth * w.clamp_min(0.0), (w - 1.0 + kWidth) / kWidth).clamp(0.0, 1.0);
}

at::Tensor stretched(TargetKind kind, const at::Tensor& unit) {
  const Interval interval = target_interval(kind);
  return interval.low + (interval.high - interval.low) * unit;
}

template <class Options>
Json typed(const char* type, const Options& options) {
  Json out{{"type", type}};
  out.update(options_to_json(options));
  return out;
}

/// Least squares on fresh stratified points; everything random follows from the seed and the step.
class Fit {
 public:
  Fit(Flow& flow, const RegressionConfig& config, const RunFolder& folder)
      : flow_(flow),
        config_(config),
        folder_(folder),
        flat_(flow),
        adam_(flat_, config.training.adam),
        kind_(at::TensorOptions(scalar_type(config.training.dtype))),
        rng_(Rng(static_cast<uint64_t>(config.training.seed)).fork("regression")) {
    if (folder.has_checkpoint()) restore(load_checkpoint(folder.checkpoint_path()));
  }

  int64_t step() const { return counters_.step; }
  bool done() const { return counters_.step >= config_.training.steps; }
  MetricsRecord advance();
  void save();

 private:
  void restore(const Checkpoint& saved);
  [[noreturn]] void fail_non_finite(const char* what, const NonFinite& origin) const;

  Flow& flow_;
  const RegressionConfig& config_;
  const RunFolder& folder_;
  FlatParameters flat_;
  Adam adam_;
  at::TensorOptions kind_;
  Rng rng_;
  TrainingCounters counters_;
};

MetricsRecord Fit::advance() {
  const Rng rng = rng_.fork("train").fork(static_cast<uint64_t>(counters_.step));
  const at::Tensor x =
      stratified_points(config_.target, config_.training.points, rng.fork("points")).to(kind_);
  const Context context{.rng = rng.fork("map"), .phase = Phase::kTrain, .wants_log_det = false};
  flow_.prepare(flow_.transform()->prepare_needs_data() ? x : at::Tensor(), context);
  flat_.zero_gradients();
  const at::Tensor y = flow_.transform()->forward(x, context).value;
  const at::Tensor square = (y - target_value(config_.target, x)).square();

  MetricsRecord record;
  record.loss = weighted_mean(square.detach().flatten(), {});
  if (!std::isfinite(record.loss.mean)) {
    fail_non_finite("loss", find_in_forward(flow_, flat_, x, context));
  }
  square.mean().backward();
  record.gradient_norm = gradient_norm(flat_);
  if (!std::isfinite(record.gradient_norm)) {
    fail_non_finite("gradient", find_in_gradients(flow_, flat_));
  }
  const FitOptions& training = config_.training;
  if (training.clip_norm > 0.0) clip_gradients(flat_, record.gradient_norm, training.clip_norm);
  record.learning_rate = training.adam.learning_rate *
                         schedule_factor(training.schedule, counters_.step, training.steps);
  adam_.step(record.learning_rate);
  record.step = ++counters_.step;
  return record;
}

void Fit::fail_non_finite(const char* what, const NonFinite& origin) const {
  fail<NumericsError>("reproduce", c10::str(what, " at step ", counters_.step + 1), "finite values",
                      describe(origin), "Lower training.adam.learning_rate or train in float64.");
}

void Fit::save() {
  Checkpoint checkpoint;
  checkpoint.config = options_to_json(config_);
  checkpoint.training = options_to_json(config_.training);
  checkpoint.counters = counters_;
  checkpoint.weights = state_of(flow_);
  checkpoint.first_moment = flat_.named(adam_.first_moment());
  checkpoint.second_moment = flat_.named(adam_.second_moment());
  save_checkpoint(folder_.checkpoint_path(), checkpoint);
}

void Fit::restore(const Checkpoint& saved) {
  const StateOrigin origin{"reproduce", folder_.checkpoint_path().string()};
  check_same_config(saved.config["map"], options_to_json(config_.map), "reproduce: map",
                    "Remove " + folder_.path().string() + " to start again.");
  copy_state(state_of(flow_), saved.weights, origin);
  copy_state(flat_.named(adam_.first_moment()), saved.first_moment, origin);
  copy_state(flat_.named(adam_.second_moment()), saved.second_moment, origin);
  counters_ = saved.counters;
  adam_.set_steps(counters_.step);
}

bool due(int64_t step, int64_t every) { return step % every == 0; }

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
  Json members = Json::array();
  int64_t networks = 0;
  for (const FormKind form : options.forms) {
    members.push_back(
        typed("contractive_block",
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
    if (options.scaling) members.push_back(typed("scale", ScaleOptions{.event = 1}));
  }
  return build_flow({chain_spec(std::move(members)), {{"type", "normal"}, {"event", 1}}}, "map");
}

FitReport fit_map(Flow& flow, const RegressionConfig& config, const RunFolder& folder,
                  const FitHooks& hooks) {
  flow.to(scalar_type(config.training.dtype));
  Fit fit(flow, config, folder);
  MetricsWriter metrics(folder.metrics_path(), fit.step());
  const Clock::time_point start = Clock::now();
  const auto seconds = [&] {
    return metrics.seconds() + std::chrono::duration<double>(Clock::now() - start).count();
  };
  FitReport report;
  while (!fit.done() && !report.interrupted) {
    MetricsRecord record = fit.advance();
    record.seconds = seconds();
    if (hooks.on_step) hooks.on_step(record);
    report.interrupted = !fit.done() && hooks.should_stop && hooks.should_stop();
    const bool last = fit.done() || report.interrupted;
    if (last || due(fit.step(), config.training.log_every)) metrics.write(record);
    if (last || due(fit.step(), config.training.checkpoint_every)) fit.save();
  }
  report.step = fit.step();
  report.seconds = seconds();
  refresh_state(flow);
  return report;
}

}  // namespace contraflow::cli
