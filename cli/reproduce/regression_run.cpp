#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cli/reproduce/regression.h"
#include "cli/reproduce/row.h"
#include "cli/training_run.h"
#include "contraflow/data/sources.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kPointsAtOnce = 16'384;

// A stored config with what it did not know yet.
Json with_defaults(const Json& stored) {
  return options_to_json(options_from_json<RegressionConfig>(stored, "resume"));
}

TrainReport fit_map(const FlowPtr& map, const RegressionConfig& config, const RunFolder& folder,
                    const Console& console) {
  TrainerHooks hooks;
  hooks.config = options_to_json(config);
  hooks.resolve_config = [](const Json& stored) { return with_defaults(stored); };
  const LeastSquares objective(map, config.target, regression_rng(config));
  return train_in_folder(objective, config.training, folder, std::move(hooks), console);
}

at::Tensor mapped(const Flow& flow, const at::Tensor& x) {
  return flow.transform()->forward(x, {.hints = {.wants_log_det = false}}).value;
}

Estimate squared_error(const Flow& flow, TargetKind target, const at::Tensor& points) {
  std::vector<at::Tensor> squares;
  for (const at::Tensor& x : points.split(kPointsAtOnce)) {
    squares.push_back((mapped(flow, x) - target_value(target, x)).square().flatten());
  }
  return weighted_mean(at::cat(squares), {});
}

std::vector<double> numbers(const at::Tensor& x) {
  const at::Tensor flat = x.contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

// Steps of the target are a twentieth wide: five points on each.
Json fitted_curve(const Flow& flow, TargetKind target) {
  constexpr int64_t kPoints = 401;
  const Interval interval = target_interval(target);
  const at::Tensor x =
      at::linspace(interval.lower, interval.upper, kPoints, at::kDouble).unsqueeze(1);
  return {{"x", numbers(x)},
          {"target", numbers(target_value(target, x))},
          {"fitted", numbers(mapped(flow, x))}};
}

Certificate certify_map(const RowJob& job, Flow& flow, const at::Tensor& points) {
  job.console.note(job.row.name + ": certifying");
  const data::TensorSource source("test", points, {}, {}, Rng(0));
  const int64_t rows = std::min(job.certificate_rows(), points.size(0));
  return certify(flow, source, rows, Rng(0).fork("certify"));
}

/// One fit, measured.
struct FitResult {
  TrainReport report;
  Estimate error = {};
  Certificate certificate = {};
  Json curve = {};
  int64_t parameters = 0;
};

/// Nothing if a signal stopped it.
std::optional<FitResult> run_fit(const RowJob& job, const RegressionConfig& config) {
  const FlowPtr flow = build_map(config.map);
  const auto folder = open_run_folder(job, options_to_json(config));
  FitResult result{.report = fit_map(flow, config, *folder, job.console)};
  if (result.report.status == TrainStatus::kInterrupted) return std::nullopt;

  const at::NoGradGuard no_grad;
  flow->to(at::kDouble);
  const at::Tensor points =
      uniform_points(config.target, config.test_points, regression_rng(config).fork("test"));
  result.error = squared_error(*flow, config.target, points);
  result.certificate = certify_map(job, *flow, points);
  result.curve = fitted_curve(*flow, config.target);
  result.parameters = parameter_count(*flow);
  return result;
}

/// The fits of all seeds: the first in the row's folder, the others in folders within.
std::optional<std::vector<FitResult>> run_fits(const RowJob& job, const RegressionConfig& config) {
  std::vector<FitResult> results;
  for (int64_t k = 0; k < config.repeats; ++k) {
    RowJob own{job.table, job.row, job.quick, job.run_folder, job.console};
    RegressionConfig seeded = config;
    if (k > 0) {
      seeded.map.seed += k;
      seeded.training.seed += k;
      seeded.repeats = 1;
      own.run_folder /= "seed-" + std::to_string(seeded.training.seed);
      job.console.note(job.row.name + ": fit " + std::to_string(k + 1) + " of " +
                       std::to_string(config.repeats));
    }
    std::optional<FitResult> result = run_fit(own, seeded);
    if (!result) return std::nullopt;
    results.push_back(std::move(*result));
  }
  return results;
}

/// Over the seeds; of a single fit its own, over the points.
Estimate mean_error(const std::vector<FitResult>& fits) {
  if (fits.size() == 1) return fits.front().error;
  std::vector<double> errors;
  for (const FitResult& fit : fits) errors.push_back(fit.error.mean);
  return weighted_mean(at::tensor(errors, at::kDouble), {});
}

/// One certificate for all blocks of all fits.
Certificate joined(std::vector<FitResult>& fits) {
  Certificate all = std::move(fits.front().certificate);
  for (size_t k = 1; k < fits.size(); ++k) {
    const Certificate& one = fits[k].certificate;
    all.blocks.insert(all.blocks.end(), one.blocks.begin(), one.blocks.end());
    all.worst_error = std::max(all.worst_error, one.worst_error);
    all.worst_bound = std::max(all.worst_bound, one.worst_bound);
    all.within_bounds = all.within_bounds && one.within_bounds;
  }
  return all;
}

}  // namespace

std::optional<Json> run_regression_row(const RowJob& job) {
  const std::string where = (job.table.folder / job.row.config).string();
  const auto config =
      options_from_json<RegressionConfig>(row_config(job.table, job.row, job.quick), where);
  std::optional<std::vector<FitResult>> fits = run_fits(job, config);
  if (!fits) return std::nullopt;

  const Estimate error = mean_error(*fits);
  double seconds = 0.0;
  Json errors = Json::array();
  for (const FitResult& fit : *fits) {
    seconds += fit.report.seconds;
    errors.push_back(json_number(fit.error.mean));
  }
  Json out = row_head(job, enum_name(config.target));
  out["mse"] = json_number(error.mean);
  out["standard_error"] = json_number(error.standard_error);
  out["mse_of_seeds"] = std::move(errors);
  out["test_rows"] = config.test_points;
  out["certificate"] = certificate_summary(joined(*fits));
  out["curve"] = std::move(fits->front().curve);
  add_row_tail(out, job,
               {.steps = fits->front().report.step,
                .seconds = seconds,
                .seed = config.training.seed,
                .parameters = fits->front().parameters});
  return out;
}

}  // namespace contraflow::cli
