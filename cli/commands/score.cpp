#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "cli/commands/feed.h"
#include "cli/commands/given.h"
#include "contraflow/core/estimate.h"
#include "contraflow/core/text.h"
#include "contraflow/data/rows.h"
#include "contraflow/evaluation/score_feed.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kScoreExamples =
    "Examples:\n"
    "  contraflow score runs/events new.csv -o scores.csv\n"
    "  contraflow score runs/events new.npy -o scores.npy --dtype float32\n"
    "  contraflow score runs/events --split test -o scores.csv     the model's own held-out rows\n"
    "  contraflow score runs/events other.csv -o scores.csv --columns pt,eta,phi\n"
    "  contraflow score runs/labelled new.csv -o threes.csv --given label=3    log p(x | 3)\n\n"
    "Writes one row per row of INPUT: log_prob in nats, and standard_error, which is 0 when "
    "nothing\n"
    "is random (exact log-determinants, continuous columns). A model with truncated series adds\n"
    "bias_bound. Rows stream through in bounded memory, and OUT appears only when it is complete.\n"
    "Columns are found by the names of the training; files without names are read by position.\n"
    "With --given the rows need no columns of the condition: all are scored given those values.\n";

struct ScoreArguments {
  std::string run, output;
  FeedArguments feed{.command = "score"};
  std::vector<std::string> given;
  int64_t replicates = 8;
  int64_t seed = 0;
  FloatType dtype = FloatType::kFloat64;
  DeviceKind device = DeviceKind::kCpu;
};

struct ScoreTotals {
  int64_t rows = 0;
  Estimate log_prob;
  double worst_error = 0.0;
};

bool is_biased(const Model& model) {
  return model.flow->randomness(Phase::kEvaluate) == Randomness::kBiased;
}

ScoreTotals score_all(const ScoreArguments& a, const Model& model, const RowFeed& feed,
                      data::RowWriter& writer, RowProgress& progress) {
  const ScoreOptions options{.replicates = a.replicates, .rng = score_rng(a.seed)};
  ScoreTotals totals;
  const auto use = [&](const LogProbWithError& scores, int64_t rows, double fraction) {
    std::vector<at::Tensor> columns{scores.log_prob, scores.standard_error};
    if (is_biased(model)) columns.push_back(scores.bias_bound);
    writer.append(at::stack(columns, 1));
    totals.rows = rows;
    totals.log_prob = combined(totals.log_prob, mean_and_error(scores.log_prob));
    totals.worst_error = std::max(totals.worst_error, scores.standard_error.max().item<double>());
    progress.done(rows, fraction);
  };
  score_feed(*model.flow, model.columns, feed, options, use);
  return totals;
}

void report(const ScoreArguments& a, const Model& model, const std::string& input,
            const ScoreTotals& totals, double seconds, const Console& console) {
  const double rate = seconds > 0.0 ? static_cast<double>(totals.rows) / seconds : 0.0;
  const Json json{{"command", "score"},
                  {"checkpoint", model.checkpoint_path.string()},
                  {"input", input},
                  {"output", a.output},
                  {"rows", totals.rows},
                  {"mean_log_prob", estimate_json(totals.log_prob)},
                  {"worst_standard_error", json_number(totals.worst_error)},
                  {"seconds", json_number(seconds)},
                  {"rows_per_second", json_number(rate)}};
  Facts facts;
  facts.add("rows", format_count(totals.rows) + " of " + input);
  facts.add("mean log p(x)", with_error(totals.log_prob) + " nats");
  facts.add("worst error", totals.worst_error == 0.0
                               ? "0, the scores are exact"
                               : fixed(totals.worst_error) + " nats (standard error of a row)");
  facts.add("time", format_duration(seconds) + ", " + format_count(std::llround(rate)) + " rows/s");
  facts.add("written", a.output);
  console.result(json, facts.str());
}

int run_score(const ScoreArguments& a, const Console& console) {
  const Model model = load(a.run, {.dtype = a.dtype, .device = a.device});
  FeedArguments rows = a.feed;
  if (!a.given.empty()) rows.given = given_condition(a.given, model.columns);
  const RowFeed feed = open_feed(rows, model);
  std::vector<std::string> names{"log_prob", "standard_error"};
  if (is_biased(model)) names.emplace_back("bias_bound");
  const auto writer = data::create_rows(a.output, names, at::kDouble);
  RowProgress progress(console, "scoring", 0);
  const ScoreTotals totals = score_all(a, model, feed, *writer, progress);
  writer->finish();
  report(a, model, feed.name, totals, progress.seconds(), console);
  return 0;
}

}  // namespace

Command add_score(CLI::App& parent) {
  Command command = new_command(
      parent, "score", "Log-density and its error for every row of a file.", kScoreExamples);
  const auto a = std::make_shared<ScoreArguments>();
  CLI::App& app = *command.app;
  add_model_argument(app, a->run);
  app.add_option("INPUT", a->feed.input, "Rows to score: .csv, .tsv, .txt or .npy.");
  app.add_option("--split", a->feed.split, "Instead of INPUT: a part of the training's data.")
      ->check(CLI::IsMember({"test", "validation", "train"}));
  app.add_option("-o,--out", a->output, "File to write: .csv, .tsv, .txt or .npy.")->required();
  app.add_option("--columns", a->feed.columns,
                 "Columns of INPUT in the order of the model's, by name or number from 0.")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_given_option(app, a->given);
  add_choice(app, "--header", a->feed.file.header,
             "Whether the first line of a CSV names the columns.");
  add_choice(app, "--delimiter", a->feed.file.delimiter, "What separates the fields of a CSV.");
  app.add_option("--replicates", a->replicates, "Draws per row where scores are random.")
      ->check(integer_range(2, 10'000))
      ->capture_default_str();
  app.add_option("--seed", a->seed, "Seed of those draws.")
      ->check(integer_range(0, kMostInteger))
      ->capture_default_str();
  add_dtype_option(app, a->dtype);
  add_device_option(app, a->device);
  command.run = [a](const Console& console) { return run_score(*a, console); };
  return command;
}

}  // namespace contraflow::cli
