// What a training objective claims, and what is true: figure 2 of the Residual Flows paper.
#include <ATen/ATen.h>

#include <cmath>
#include <fstream>

#include "cli/reproduce/density_run.h"
#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/evaluation/row_feed.h"
#include "contraflow/training/evaluation.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

// The training estimator on held-out rows: the same rows that the exact likelihood is taken on.
Estimate claimed_loss(const RowJob& job, const DensityModel& model) {
  constexpr int64_t kChunk = 4096;
  const at::NoGradGuard no_grad;
  const data::Source& test = split_of(model.dataset, "test");
  const int64_t rows = test.size().value_or(0);
  RowProgress progress(job.console, job.row.name + ": the objective's claim", rows);
  const Rng rng = Rng(0).fork("claim");
  std::vector<at::Tensor> losses;
  for (int64_t begin = 0; begin < rows; begin += kChunk) {
    const data::Batch batch = test.rows(begin, std::min(rows, begin + kChunk));
    const Context context{.condition = batch.condition,
                          .rng = rng.rows_from(batch.first_row),
                          .phase = Phase::kTrain};
    losses.push_back(-model.file.flow->log_prob(batch.x, context));
    progress.done(begin + batch.x.size(0));
  }
  return weighted_mean(at::cat(losses), {});
}

/// Mean of the losses since it was last asked for.
class RunningMean {
 public:
  void add(double value) {
    ++count_;
    sum_ += value;
    squares_ += value * value;
  }
  Estimate take() {
    const auto n = static_cast<double>(count_);
    const double mean = sum_ / n;
    const double variance = std::max(0.0, squares_ / n - mean * mean) * n / (n - 1.0);
    const Estimate out{mean, std::sqrt(variance / n), count_};
    *this = {};
    return out;
  }

 private:
  int64_t count_ = 0;
  double sum_ = 0.0, squares_ = 0.0;
};

// Each validation takes the exact log-determinant on held-out rows: the truth. Between two of them
// the logged batches are what the objective claimed; their mean stands beside the later one.
Json read_trace(const std::filesystem::path& metrics) {
  Json trace{{"step", Json::array()},
             {"claimed", Json::array()},
             {"claimed_standard_error", Json::array()},
             {"true", Json::array()},
             {"true_standard_error", Json::array()}};
  RunningMean claims;
  std::ifstream in(metrics, std::ios::binary);
  for (std::string text; std::getline(in, text);) {
    const Json line = parse_json(text, metrics.string());
    if (line["loss"].is_number()) claims.add(line["loss"]);
    if (!line.contains("validation_loss")) continue;
    const Estimate claimed = claims.take();
    trace["step"].push_back(line["step"]);
    trace["claimed"].push_back(json_number(claimed.mean));
    trace["claimed_standard_error"].push_back(json_number(claimed.standard_error));
    trace["true"].push_back(line["validation_loss"]);
    trace["true_standard_error"].push_back(line["validation_standard_error"]);
  }
  if (!trace["step"].empty()) return trace;
  fail<ConfigError>("reproduce", "training.validate_every", "validations, to tell what is true",
                    "none", "Set it above 0 in the config of the row.");
}

}  // namespace

std::optional<Json> run_bias_row(const RowJob& job) {
  const std::optional<DensityRun> run = train_density(job);
  if (!run) return std::nullopt;
  // The last weights, not the best validated ones: the question is where the objective leads.
  const DensityModel model = open_density(job, WeightChoice::kLast);
  Json result = measure_density(job, *run, model);
  const Estimate claimed = claimed_loss(job, model);
  result["claimed"] = json_number(claimed.mean);
  result["claimed_standard_error"] = json_number(claimed.standard_error);
  result["trace"] = read_trace(run->folder->metrics_path());
  return result;
}

}  // namespace contraflow::cli
