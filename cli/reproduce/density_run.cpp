#include "cli/reproduce/density_run.h"

#include "cli/figures.h"
#include "cli/image_figures.h"
#include "cli/training_run.h"
#include "contraflow/core/error.h"
#include "contraflow/core/estimate.h"
#include "contraflow/evaluation/likelihood.h"
#include "contraflow/evaluation/row_feed.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

int64_t measured_rows(const RowJob& job, const data::Source& test) {
  const int64_t all = test.size().value_or(0);
  return job.row.test_rows > 0 ? std::min(job.row.test_rows, all) : all;
}

LikelihoodReport measure_test(const RowJob& job, const DensityModel& model,
                              const data::Source& test) {
  const int64_t rows = measured_rows(job, test);
  RowProgress progress(job.console, job.row.name + ": evaluating", rows);
  const ScoreOptions options{.replicates = job.row.draws, .rng = Rng(0).fork("evaluate")};
  return measure_likelihood(*model.file.flow, test, rows, options,
                            [&progress](int64_t done) { progress.done(done); });
}

Json certify_test(const RowJob& job, const DensityModel& model, const data::Source& test) {
  const int64_t rows = std::min(job.certificate_rows(), test.size().value_or(0));
  job.console.note(job.row.name + ": certifying");
  return certificate_summary(certify(*model.file.flow, test, rows, Rng(0).fork("certify")));
}

// Of integers of one number of levels, such as pixels: the papers' unit.
void add_bits(Json& out, const LikelihoodReport& likelihood, const data::Columns& columns) {
  const auto add = [&](const std::string& name, const Estimate& nats) {
    const Estimate bits = bits_per_dim(nats, columns.dim());
    out[name] = json_number(bits.mean);
    out[name + "_standard_error"] = json_number(bits.standard_error);
  };
  add("bits_per_dim", likelihood.nll);
  out["bits_per_dim_noise_error"] =
      json_number(bits_per_dim(likelihood.noise_error, columns.dim()));
  out["draws"] = likelihood.replicates;
  if (likelihood.probability) add("probability_bits_per_dim", *likelihood.probability);
}

std::string draw_samples_of(const RowJob& job, const DensityModel& model) {
  const std::string name = "samples.png";
  const std::string title = title_of(model.dataset) + ", " + job.row.model;
  draw_images({*model.file.flow, model.file.columns, &model.dataset, title}, job.run_folder / name);
  return name;
}

// In the row's folder: the report has a sheet of all rows.
std::string draw_map(const RowJob& job, const DensityModel& model) {
  const std::string name = "density.png";
  const std::string title = title_of(model.dataset) + ", " + job.row.model;
  draw_density({*model.file.flow, model.file.columns, &model.dataset, title},
               job.run_folder / name);
  return name;
}

}  // namespace

std::optional<DensityRun> train_density(const RowJob& job) {
  const std::string where = (job.table.folder / job.row.config).string();
  PreparedRun run =
      prepare_run(run_config_from_json(row_config(job.table, job.row, job.quick), where));
  if (run.dataset.splits.test == nullptr) {
    fail<ConfigError>("reproduce", where + ": data.test_rows", "rows to measure on", "none",
                      "Raise it.");
  }
  DensityRun out{open_run_folder(job, options_to_json(run.config)), {}};
  out.report = train_in_folder(run, *out.folder, job.console);
  if (out.report.status == TrainStatus::kInterrupted) return std::nullopt;
  return out;
}

DensityModel open_density(const RowJob& job, WeightChoice weights) {
  DensityModel model{load(job.run_folder, {.weights = weights}), {}};
  model.dataset = open_data(model.file);
  return model;
}

Json measure_density(const RowJob& job, const DensityRun& run, const DensityModel& model) {
  const data::Source& test = split_of(model.dataset, "test");
  const LikelihoodReport likelihood = measure_test(job, model, test);
  const data::Columns& columns = model.file.columns;
  Json out = row_head(job, title_of(model.dataset));
  out["nll"] = json_number(likelihood.nll.mean);
  out["standard_error"] = json_number(likelihood.nll.standard_error);
  out["entropy"] = columns.entropy ? Json(*columns.entropy) : Json();
  out["kl"] = columns.entropy ? json_number(likelihood.nll.mean - *columns.entropy) : Json();
  if (columns.levels > 0) add_bits(out, likelihood, columns);
  out["test_rows"] = measured_rows(job, test);
  out["weights"] = enum_name(model.file.weights);
  out["certificate"] = certify_test(job, model, test);
  if (has_density_map(columns)) out["picture"] = draw_map(job, model);
  if (is_image(columns)) out["samples"] = draw_samples_of(job, model);
  add_row_tail(out, job,
               {.steps = run.report.step,
                .seconds = run.report.seconds,
                .seed = model.file.config().training.seed,
                .parameters = parameter_count(*model.file.flow)});
  return out;
}

std::optional<Json> run_density_row(const RowJob& job) {
  const std::optional<DensityRun> run = train_density(job);
  if (!run) return std::nullopt;
  return measure_density(job, *run, open_density(job, WeightChoice::kSelected));
}

}  // namespace contraflow::cli
