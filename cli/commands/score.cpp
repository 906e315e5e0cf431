#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "cli/commands/feed.h"
#include "cli/commands/given.h"
#include "contraflow/core/error.h"
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
    "  contraflow score runs/labelled new.csv -o threes.csv --given label=3    log p(x | 3)\n"
    "  contraflow score runs/mnist pictures/ -o scores.csv --exact    a row for each .png, with "
    "its "
    "name\n\n"
    "Writes one row per row of INPUT: log_prob in nats, and standard_error, which is 0 when "
    "nothing\n"
    "is random (exact log-determinants, continuous columns). Of rows of integers log_prob "
    "estimates\n"
    "the logarithm of the row's probability, by --replicates draws. A model with truncated series "
    "adds\n"
    "bias_bound. Rows stream through in bounded memory, and OUT appears only when it is complete.\n"
    "Columns are found by the names of the training; files without names are read by position.\n"
    "A row that cannot have a score stops no other: no number where a value is missing, -inf where "
    "one\n"
    "is outside of its column's values; the report counts them, --flags names them.\n"
    "With --given the rows need no columns of the condition: all are scored given those values.\n"
    "A model of images takes images of its size in every layout of 'contraflow list data', and "
    "arrays "
    "of\n"
    "numbers [N, C, H, W] or [N, H, W]: of a folder of .png files a column 'file' has the names. "
    "All "
    "parts\n"
    "of a data set are read, the images to train on before those of the test.\n";

struct ScoreArguments {
  std::string run, output;
  FeedArguments feed{.command = "score"};
  std::vector<std::string> given;
  bool flags = false;
  bool exact = false;
  int64_t replicates = 8;
  int64_t seed = 0;
  int64_t batch = 0;
  FloatType dtype = FloatType::kFloat64;
  DeviceKind device = DeviceKind::kCpu;
};

struct ScoreTotals {
  int64_t rows = 0;
  std::map<RowFlag, int64_t> flagged;  ///< Rows without a density of their own.
  Estimate log_prob;                   ///< Of the others.
  double worst_error = 0.0;
  std::vector<std::string> examples;  ///< Of flagged rows.
  double bias = 0.0;  ///< Mean of what a logarithm of a mean is low by; 0 for other scores.
};

// Counts the flags of a chunk; the places of the rows that were scored.
at::Tensor count_flags(const std::vector<RowFlag>& flags, ScoreTotals& totals) {
  std::vector<int64_t> scored;
  for (size_t r = 0; r < flags.size(); ++r) {
    if (flags[r] == RowFlag::kScored) {
      scored.push_back(static_cast<int64_t>(r));
    } else {
      ++totals.flagged[flags[r]];
    }
  }
  return at::tensor(scored, at::kLong);
}

const char* meaning_of(RowFlag flag) {
  switch (flag) {
    case RowFlag::kScored:
      break;
    case RowFlag::kMissing:
      return "a value is missing: no score";
    case RowFlag::kOutside:
      return "a value that its column cannot have: -inf";
    case RowFlag::kAbsurd:
      return "a value absurdly far from the training's: -inf";
    case RowFlag::kUnsolved:
      return "a solve did not converge: no score";
  }
  return "scored";
}

bool is_biased(const Model& model) {
  return model.flow->randomness(Phase::kEvaluate) == Randomness::kBiased;
}

// The scores are estimates of log P(x), since only the noise in steps is random.
bool has_probabilities(const Model& model) {
  return model.columns.has_steps() && model.flow->noise_only();
}

// The scores that are written: of rows of steps the logarithm of the mean density over the noise.
LogProbWithError scores_of(const LogProbWithError& scores, const Model& model) {
  if (!has_probabilities(model) || !scores.log_mean.defined()) return scores;
  LogProbWithError out = scores;
  out.log_prob = scores.log_mean;
  out.standard_error = scores.log_mean_error;
  return out;
}

// Names of image files go where the scores have text beside them.
bool has_file_names(const ScoreArguments& a, const RowFeed& feed) {
  return !feed.files.empty() && data::is_text_file(a.output);
}

// The columns of text of a chunk: what is kept of the input, and the flags.
data::TextColumns texts_of(const ScoreArguments& a, const RowFeed& feed,
                           const std::vector<RowFlag>& flags, int64_t first) {
  data::TextColumns out;
  if (!a.feed.file.keep.empty()) out = feed.reader->kept();
  if (has_file_names(a, feed)) {
    const auto begin = feed.files.begin() + static_cast<std::ptrdiff_t>(first);
    out.emplace_back(begin, begin + std::ssize(flags));
  }
  if (!a.flags) return out;
  out.emplace_back();
  for (const RowFlag flag : flags) out.back().emplace_back(enum_name(flag));
  return out;
}

// The first rows without a score, each with its reason.
void remember_examples(const RowFeed& feed, const std::vector<RowFlag>& flags,
                       ScoreTotals& totals) {
  constexpr size_t kMost = 3;
  if (feed.reader != nullptr) {
    for (const data::BadRow& bad : feed.reader->bad_rows()) {
      if (totals.examples.size() >= kMost) return;
      totals.examples.push_back("row " + std::to_string(bad.row) + ": " + bad.reason);
    }
  }
  for (size_t r = 0; r < flags.size() && totals.examples.size() < kMost; ++r) {
    if (flags[r] != RowFlag::kOutside && flags[r] != RowFlag::kAbsurd) continue;
    const size_t row = static_cast<size_t>(totals.rows) + r;
    totals.examples.push_back(
        (feed.files.empty() ? "row " + std::to_string(row) : shorten(feed.files[row])) + ": " +
        meaning_of(flags[r]));
  }
}

ScoreTotals score_all(const ScoreArguments& a, const Model& model, const RowFeed& feed,
                      data::RowWriter& writer, RowProgress& progress) {
  const ScoreOptions options{
      .replicates = a.replicates, .rng = score_rng(a.seed), .batch = a.batch};
  ScoreTotals totals;
  double squares = 0.0;
  const auto use = [&](const FlaggedScores& part, int64_t rows, double fraction) {
    const LogProbWithError scores = scores_of(part.scores, model);
    std::vector<at::Tensor> columns{scores.log_prob, scores.standard_error};
    if (is_biased(model)) columns.push_back(scores.bias_bound);
    writer.append(at::stack(columns, 1), texts_of(a, feed, part.flags, totals.rows));
    remember_examples(feed, part.flags, totals);
    totals.rows = rows;
    const at::Tensor scored = count_flags(part.flags, totals);
    if (scored.size(0) > 0) {
      const auto of = [&](const at::Tensor& t) { return t.index_select(0, scored); };
      totals.log_prob = combined(totals.log_prob, mean_and_error(of(scores.log_prob)));
      const double worst = of(scores.standard_error).max().item<double>();
      totals.worst_error = std::max(totals.worst_error, worst);
      if (has_probabilities(model))
        squares += of(scores.standard_error).square().sum().item<double>();
    }
    progress.done(rows, fraction);
  };
  score_feed(*model.flow, model.columns, feed, options, use);
  const auto scored = static_cast<double>(std::max<int64_t>(1, totals.log_prob.count));
  totals.bias = 0.5 * squares / scored;
  return totals;
}

// What the scores of rows of integers or other steps are.
std::string steps_text(const Model& model, const ScoreArguments& a, double bias) {
  if (!model.columns.has_steps()) return "";
  if (!has_probabilities(model)) return ", a lower bound on log P(x): the mean over random draws";
  return ", an estimate of log P(x) by the mean over " + std::to_string(a.replicates) +
         " draws of the noise in steps, low by about " + brief(bias);
}

void report(const ScoreArguments& a, const Model& model, const std::string& input,
            const ScoreTotals& totals, double seconds, const Console& console) {
  const double rate = seconds > 0.0 ? static_cast<double>(totals.rows) / seconds : 0.0;
  Json flagged = Json::object();
  for (const auto& [flag, count] : totals.flagged) flagged[enum_name(flag)] = count;
  const Json json{{"command", "score"},
                  {"checkpoint", model.checkpoint_path.string()},
                  {"input", input},
                  {"output", a.output},
                  {"rows", totals.rows},
                  {"flagged", flagged},
                  {"flagged_examples", totals.examples},
                  {"mean_log_prob", estimate_json(totals.log_prob)},
                  {"lower_bound", model.columns.has_steps() && !has_probabilities(model)},
                  {"log_mean_bias", json_number(totals.bias)},
                  {"worst_standard_error", json_number(totals.worst_error)},
                  {"seconds", json_number(seconds)},
                  {"rows_per_second", json_number(rate)}};
  Facts facts;
  const std::string word = row_word(model.columns);
  facts.add(word + "s", format_count(totals.rows) + " of " + input);
  for (const auto& [flag, count] : totals.flagged) {
    facts.add("", format_count(count) + " flagged " + enum_name(flag) + ", " + meaning_of(flag));
  }
  for (const std::string& example : totals.examples) facts.add("", example);
  facts.add("mean log p(x)",
            with_error(totals.log_prob) + " nats per " + word + steps_text(model, a, totals.bias));
  if (model.columns.levels > 0 && totals.log_prob.count > 0) {
    Estimate loss = totals.log_prob;
    loss.mean = -loss.mean;
    facts.add("", with_error(bits_per_dim(loss, model.columns.dim())) + " bits per dimension");
  }
  facts.add("worst error",
            totals.worst_error == 0.0
                ? "0, the scores are exact"
                : brief(totals.worst_error) + " nats (standard error of one " + word + ")");
  facts.add("time", format_duration(seconds) + ", " + rate_text(rate) + " " + word + "s/s");
  facts.add("written", a.output);
  if (a.output == "-") return console.note(facts.str());  // the scores have the standard output
  console.result(json, facts.str());
}

// A file that is written under the name of the one that is read would take its rows with it.
void check_output(const ScoreArguments& a) {
  data::check_row_file(a.output);
  std::error_code error;
  if (a.feed.input.empty() || !std::filesystem::equivalent(a.feed.input, a.output, error)) return;
  fail<ConfigError>("score", "--out", "another file than INPUT", "'" + shorten(a.output) + "'",
                    "Give the scores a file of their own; --keep takes columns along.");
}

std::vector<std::string> text_columns(const ScoreArguments& a, const RowFeed& feed) {
  std::vector<std::string> out = a.feed.file.keep;
  if (!out.empty() &&
      a.feed.input != "-") {  // a number stands for the name that the file has there
    const std::vector<std::string> names = data::open_rows(a.feed.input, a.feed.file)->columns();
    const std::vector<int64_t> places = data::find_columns(names, out, a.feed.input);
    for (size_t k = 0; k < out.size(); ++k) out[k] = names[static_cast<size_t>(places[k])];
  }
  if (has_file_names(a, feed)) out.emplace_back("file");
  if (a.flags) out.emplace_back("flag");
  return out;
}

int run_score(const ScoreArguments& a, const Console& console) {
  check_output(a);
  const Model model = load(a.run, {.dtype = a.dtype, .device = a.device, .exact = a.exact});
  FeedArguments rows = a.feed;
  rows.lenient = true;
  if (!a.given.empty()) rows.given = given_condition(a.given, model.columns);
  const RowFeed feed = open_feed(rows, model);
  std::vector<std::string> names{"log_prob", "standard_error"};
  if (is_biased(model)) names.emplace_back("bias_bound");
  const auto writer = data::create_rows(a.output, names, at::kDouble, text_columns(a, feed));
  RowProgress progress(console, "scoring", 0, row_word(model.columns) + "s");
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
  app.add_option(
      "INPUT", a->feed.input,
      "Rows to score: .csv, .tsv, .txt, .npy (each also .gz), .npz, or - for CSV from the "
      "standard input. Images: a folder of .png files, an IDX or CIFAR file or folder, .npy, "
      ".npz.");
  app.add_option("--split", a->feed.split, "Instead of INPUT: a part of the training's data.")
      ->check(one_of({"test", "validation", "train"}));
  app.add_option("-o,--out", a->output,
                 "File to write: .csv, .tsv, .txt or .npy, or - for the standard output.")
      ->required();
  app.add_option("--columns", a->feed.columns,
                 "Columns of INPUT in the order of the model's, by name or number from 0.")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_changed_data_option(app, a->feed.allow_changed);
  add_given_option(app, a->given);
  app.add_option("--keep", a->feed.file.keep,
                 "Columns of INPUT to take along, such as an id, before the scores.")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag("--flags", a->flags,
               "Add a column that says of each row: scored, missing, outside, absurd or unsolved.");
  add_choice(app, "--header", a->feed.file.header,
             "Whether the first line of a CSV names the columns.");
  add_choice(app, "--delimiter", a->feed.file.delimiter, "What separates the fields of a CSV.");
  app.add_flag("--exact", a->exact,
               "Exact log-determinants of all blocks, whatever the config says.");
  add_batch_option(app, a->batch);
  app.add_option("--replicates,--draws", a->replicates, "Draws per row where scores are random.")
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
