#include <ATen/ATen.h>

#include "cli/reproduce/regression.h"
#include "cli/reproduce/row.h"
#include "cli/run_config.h"
#include "cli/training_run.h"
#include "contraflow/data/sources.h"
#include "contraflow/training/evaluation.h"
#include "contraflow/training/progress.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kChunk = 16'384;

FitReport fit_with_progress(Flow& flow, const RegressionConfig& config, const RunFolder& folder,
                            const Console& console) {
  const Console::Terminal& terminal = console.terminal();
  ProgressPrinter progress(console.err(), config.training.steps,
                           {.is_terminal = terminal.err, .columns = terminal.columns});
  const InterruptScope interrupt;
  FitReport report;
  try {
    report = fit_map(flow, config, folder,
                     {.on_step = [&](const MetricsRecord& record) { progress.on_step(record); },
                      .should_stop = [] { return InterruptScope::interrupted(); }});
  } catch (...) {
    progress.finish();
    throw;
  }
  progress.finish();
  return report;
}

at::Tensor mapped(const Flow& flow, const at::Tensor& x) {
  return flow.transform()->forward(x, {.wants_log_det = false}).value;
}

MeanWithError squared_error(const Flow& flow, TargetKind target, const at::Tensor& points) {
  std::vector<at::Tensor> squares;
  for (const at::Tensor& x : points.split(kChunk)) {
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
  const at::Tensor x = at::linspace(interval.low, interval.high, kPoints, at::kDouble).unsqueeze(1);
  return {{"x", numbers(x)},
          {"target", numbers(target_value(target, x))},
          {"fitted", numbers(mapped(flow, x))}};
}

Json certify_map(const RowJob& job, Flow& flow, const at::Tensor& points) {
  job.console.note(job.row.name + ": certifying");
  const data::TensorSource source("test", points, {}, {}, Rng(0));
  const int64_t rows = std::min(job.certificate_rows(), points.size(0));
  return certificate_summary(certify(flow, source, rows, Rng(0).fork("certify")));
}

int64_t parameter_count(const Flow& flow) {
  int64_t count = 0;
  for (const at::Tensor& parameter : flow.parameters()) count += parameter.numel();
  return count;
}

}  // namespace

std::optional<Json> run_regression_row(const RowJob& job) {
  const std::string where = (job.table.folder / job.row.config).string();
  const auto config =
      options_from_json<RegressionConfig>(row_config(job.table, job.row, job.quick), where);
  const FlowPtr flow = build_map(config.map);
  const auto folder = open_run_folder(job, options_to_json(config));
  const FitReport report = fit_with_progress(*flow, config, *folder, job.console);
  if (report.interrupted) return std::nullopt;

  const at::NoGradGuard no_grad;
  flow->to(at::kDouble);
  const Rng test_rng =
      Rng(static_cast<uint64_t>(config.training.seed)).fork("regression").fork("test");
  const at::Tensor points = uniform_points(config.target, config.training.test_points, test_rng);
  const MeanWithError error = squared_error(*flow, config.target, points);
  Json out = row_head(job, enum_name(config.target));
  out["mse"] = json_number(error.mean);
  out["standard_error"] = json_number(error.standard_error);
  out["test_rows"] = points.size(0);
  out["certificate"] = certify_map(job, *flow, points);
  out["curve"] = fitted_curve(*flow, config.target);
  add_row_tail(out, job,
               {.steps = report.step,
                .seconds = report.seconds,
                .seed = config.training.seed,
                .parameters = parameter_count(*flow)});
  return out;
}

}  // namespace contraflow::cli
