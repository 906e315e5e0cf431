#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "cli/commands/common.h"
#include "cli/commands/given.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/rows.h"
#include "contraflow/evaluation/samples.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSampleExamples =
    "Examples:\n"
    "  contraflow sample runs/checkerboard -n 10000 -o samples.csv\n"
    "  contraflow sample runs/digits -n 64 -o digits.npy --temperature 0.8\n"
    "  contraflow sample runs/events -n 1000 -o new.csv --log-prob --seed 7\n"
    "  contraflow sample runs/labelled -n 100 -o threes.csv --given label=3\n\n"
    "Sample r depends on the seed and r alone, not on -n. Solves are certified: the report names "
    "the\n"
    "worst bound on the Euclidean distance of a sample to the exact inverse. Integer columns come\n"
    "out as integers, bounded ones inside their bounds; --log-prob of integers is log P of the "
    "row. --temperature scales the base's spread.\n";

struct SampleCommandArguments {
  std::string run, output;
  int64_t count = 0;
  double temperature = 1.0;
  int64_t seed = 0;
  bool log_prob = false;
  std::vector<std::string> given;
  FloatType dtype = FloatType::kFloat64;
  DeviceKind device = DeviceKind::kCpu;
};

struct SampleTotals {
  double worst_bound = 0.0;  ///< Infinite where it is not known.
  Estimate log_prob;
};

// An .npy file has no names: its columns go as in the training's file, where other commands look for
// them by their numbers. Places of the model's columns.
std::vector<int64_t> output_order(const std::string& output, const data::Columns& columns) {
  std::vector<int64_t> order(static_cast<size_t>(columns.dim()));
  std::iota(order.begin(), order.end(), 0);
  if (data::is_text_file(output) || columns.file_numbers.size() < order.size()) return order;
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return columns.file_numbers[static_cast<size_t>(a)] <
           columns.file_numbers[static_cast<size_t>(b)];
  });
  return order;
}

std::vector<std::string> output_columns(const data::Columns& columns, bool log_prob) {
  std::vector<std::string> names = columns.names;
  while (std::ssize(names) < columns.dim()) names.push_back("x" + std::to_string(names.size()));
  if (log_prob) names.emplace_back("log_prob");
  return names;
}

// Whole numbers stay whole in the file only if no other column needs a fraction.
at::ScalarType output_type(const Model& model, bool log_prob) {
  return model.columns.levels > 0 && !log_prob ? at::kLong : at::kDouble;
}

/// log P of drawn rows of steps, by draws of the noise in them. Equal rows get equal values: each is
/// scored when it is first seen.
class RowProbabilities {
 public:
  RowProbabilities(const Model& model, int64_t seed, at::Tensor given)
      : model_(model), rng_(score_rng(seed)), given_(std::move(given)) {}

  /// [n] of rows [n, D].
  at::Tensor operator()(const at::Tensor& rows) {
    std::vector<int64_t> fresh;
    std::vector<std::string> keys;
    for (int64_t r = 0; r < rows.size(0); ++r) {
      const at::Tensor row = rows[r].contiguous();
      keys.emplace_back(static_cast<const char*>(row.const_data_ptr()), row.nbytes());
      const auto place = static_cast<int64_t>(known_.size());
      if (known_.emplace(keys.back(), place).second) fresh.push_back(r);
    }
    if (!fresh.empty()) score(rows.index_select(0, at::tensor(fresh, at::kLong)));
    at::Tensor out = at::empty({rows.size(0)}, at::kDouble);
    for (int64_t r = 0; r < rows.size(0); ++r) {
      const auto place = static_cast<size_t>(known_.at(keys[static_cast<size_t>(r)]));
      out[r] = values_[place];
    }
    return out;
  }

 private:
  void score(const at::Tensor& rows) {
    constexpr int64_t kDraws = 32;
    const at::Tensor condition =
        given_.defined() ? given_.expand({rows.size(0), -1}) : at::Tensor();
    const data::Batch batch{.x = rows, .condition = condition, .first_row = std::ssize(values_)};
    const LogProbWithError scores =
        score_batch(*model_.flow, batch, {.replicates = kDraws, .rng = rng_});
    const at::Tensor value = scores.log_mean.contiguous();
    const double* first = value.const_data_ptr<double>();
    values_.insert(values_.end(), first, first + value.numel());
  }

  const Model& model_;
  Rng rng_;
  at::Tensor given_;
  std::unordered_map<std::string, int64_t> known_;
  std::vector<double> values_;
};

SampleTotals write_samples(const SampleCommandArguments& a, const Model& model,
                           data::RowWriter& writer, RowProgress& progress) {
  const at::Tensor given = given_condition(a.given, model.columns);
  const DrawOptions options{
      .count = a.count, .rng = sample_rng(a.seed), .temperature = a.temperature, .given = given};
  SampleTotals totals;
  const at::Tensor order = at::tensor(output_order(a.output, model.columns), at::kLong);
  RowProbabilities probabilities(model, a.seed, given);
  const bool of_cells = model.columns.has_steps() && model.flow->noise_only();
  draw_in_chunks(*model.flow, options, [&](const SampleWithLogProb& drawn, int64_t first) {
    const at::Tensor rows = inside_bounds(drawn.sample, model.columns);
    const bool probable = a.log_prob && of_cells;  // costs scores, where the density is at hand
    const at::Tensor log_prob =
        probable ? probabilities(rows)
                 : log_prob_of_rounded(
                       *model.flow, model.columns,
                       {.sample = rows, .log_prob = drawn.log_prob, .error_bound = {}}, given);
    at::Tensor out = rows.flatten(1).index_select(1, order);
    if (a.log_prob) out = at::cat({out, log_prob.unsqueeze(1)}, 1);
    writer.append(out.to(output_type(model, a.log_prob)));
    totals.worst_bound = std::max(totals.worst_bound, drawn.error_bound.max().item<double>());
    totals.log_prob = combined(totals.log_prob, mean_and_error(log_prob));
    progress.done(first + out.size(0));
  });
  return totals;
}

std::string bound_text(const SampleTotals& totals) {
  if (totals.worst_bound == 0.0) return "0, the inverse is explicit";
  if (!std::isfinite(totals.worst_bound)) {
    return "within the tolerance before it is rounded to integers";
  }
  return "at most " + scientific(totals.worst_bound) + " (certified, Euclidean, worst sample)";
}

int run_sample(const SampleCommandArguments& a, const Console& console) {
  data::check_row_file(a.output);  // before the model is loaded
  const Model model = load(a.run, {.dtype = a.dtype, .device = a.device});
  const auto writer = data::create_rows(a.output, output_columns(model.columns, a.log_prob),
                                        output_type(model, a.log_prob));
  RowProgress progress(console, "sampling", a.count);
  const SampleTotals totals = write_samples(a, model, *writer, progress);
  writer->finish();
  const Json json{{"command", "sample"},
                  {"checkpoint", model.checkpoint_path.string()},
                  {"output", a.output},
                  {"rows", a.count},
                  {"temperature", a.temperature},
                  {"seed", a.seed},
                  {"worst_error_bound", json_number(totals.worst_bound)},
                  {"mean_log_prob", estimate_json(totals.log_prob)},
                  {"rows_per_second", json_number(progress.rows_per_second())}};
  Facts facts;
  facts.add("samples", format_count(a.count) + " in " + a.output);
  facts.add("error", bound_text(totals));
  facts.add("mean log p(x)", with_error(totals.log_prob) + " nats per row");
  facts.add("time", format_duration(progress.seconds()) + ", " +
                        format_count(std::llround(progress.rows_per_second())) + " rows/s");
  console.result(json, facts.str());
  return 0;
}

}  // namespace

Command add_sample(CLI::App& parent) {
  Command command =
      new_command(parent, "sample", "Draw rows from a trained flow into a file.", kSampleExamples);
  const auto a = std::make_shared<SampleCommandArguments>();
  CLI::App& app = *command.app;
  add_model_argument(app, a->run);
  app.add_option("-n,--count", a->count, "Number of samples.")
      ->required()
      ->check(integer_range(1, kMostInteger));
  app.add_option("-o,--out", a->output, "File to write: .csv, .tsv, .txt or .npy.")->required();
  app.add_option("--temperature", a->temperature,
                 "Factor on the spread of the base; 1 = the model.")
      ->check(positive_number())
      ->capture_default_str();
  app.add_option("--seed", a->seed, "Seed of the samples.")
      ->check(integer_range(0, kMostInteger))
      ->capture_default_str();
  app.add_flag("--log-prob", a->log_prob, "Add a column log_prob, in nats at temperature 1.");
  add_given_option(app, a->given);
  add_dtype_option(app, a->dtype);
  add_device_option(app, a->device);
  command.run = [a](const Console& console) { return run_sample(*a, console); };
  return command;
}

}  // namespace contraflow::cli
