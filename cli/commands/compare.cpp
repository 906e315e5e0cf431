#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "cli/commands/feed.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/evaluation/comparison.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kCompareExamples =
    "Examples:\n"
    "  contraflow compare runs/monotone runs/residual             test rows of their common data\n"
    "  contraflow compare runs/a runs/b --data new.csv --weight w --json\n"
    "  contraflow compare runs/a runs/b --set model.eval_log_det=adaptive --replicates 2\n\n"
    "Prints the mean of log p_A(x) - log p_B(x) in nats per row, over the same rows and with the "
    "same\n"
    "random numbers in both models, so that what they have in common cancels: its error is that of "
    "the\n"
    "differences, not of the two means. A model is called better when the 95 % interval, widened "
    "by the\n"
    "certified bias, leaves 0 out. Without --data both models must have been trained on the same "
    "data.\n";

struct CompareArguments {
  std::string a, b;
  std::string split = "test";
  bool allow_changed = false;
  bool exact = false;
  std::string data;
  std::vector<std::string> columns;
  std::string weight;
  int64_t rows = 0;
  int64_t replicates = 4;
  int64_t seed = 0;
  int64_t batch = 0;
  std::vector<std::string> set;
  FloatType dtype = FloatType::kFloat64;
  DeviceKind device = DeviceKind::kCpu;
};

// -------------------------------------------------------------------------- what to compare

// "1 x 28 x 28 images", "rows of 2 columns, x0, x1".
std::string shape_text(const data::Columns& columns) {
  const bool named = !has_image_events(columns) && !columns.names.empty();
  return events_text(columns) + (named ? ", " + shorten(join(columns.names, ", "), 200) : "");
}

void check_columns(const Model& a, const Model& b) {
  constexpr const char* kRemedy =
      "Compare models of the same columns: log-densities of other variables have no difference.";
  if (shape_text(a.columns) != shape_text(b.columns)) {
    fail<ConfigError>("compare", "B", "a model of " + shape_text(a.columns) + ", as A is",
                      "one of " + shape_text(b.columns), kRemedy);
  }
  const auto shape = [](const data::Columns& c) {
    return Json{{"columns", c.names},   {"condition", c.condition}, {"label", c.label},
                {"classes", c.classes}, {"levels", c.levels},       {"event_shape", c.event_shape}};
  };
  check_same_config(shape(a.columns), shape(b.columns), "compare B", kRemedy);
}

// Else the test rows of one may be training rows of the other.
void check_data(const Model& a, const Model& b) {
  check_same_config(options_to_json(a.config().data), options_to_json(b.config().data),
                    "compare B data",
                    "Give rows that neither model was trained on with --data FILE.");
}

RowFeed feed_of(const CompareArguments& arguments, const Model& a, const Model& b) {
  check_columns(a, b);
  FeedArguments feed{.command = "compare"};
  feed.columns = arguments.columns;
  feed.weight = arguments.weight;
  if (!arguments.data.empty()) {
    feed.input = arguments.data;
  } else {
    check_data(a, b);
    feed.split = arguments.split;
    feed.allow_changed = arguments.allow_changed;
  }
  return open_feed(feed, a);
}

// ---------------------------------------------------------------------------------- results

Estimate negative(Estimate value) {
  value.mean = -value.mean;
  return value;
}

Json model_json(const Model& model, const Estimate& nll) {
  return {{"checkpoint", model.checkpoint_path.string()},
          {"weights", enum_name(model.weights)},
          {"step", model.counters.step},
          {"mean_log_prob", estimate_json(negative(nll))},
          {"nll_nats", estimate_json(nll)}};
}

Json result_json(const Model& a, const Model& b, const ComparisonReport& r) {
  const Interval interval = r.interval();
  const char* better = r.better();
  Json out{{"command", "compare"},
           {"data", r.data},
           {"rows", r.rows},
           {"effective_rows", json_number(r.effective_rows)},
           {"replicates", r.replicates},
           {"a", model_json(a, r.nll_a)},
           {"b", model_json(b, r.nll_b)},
           {"difference_nats", estimate_json(r.difference)},
           {"interval_95", {json_number(interval.lower), json_number(interval.upper)}},
           {"better", better == nullptr ? Json(nullptr) : Json(better)},
           {"unpaired_error", json_number(r.unpaired_error())},
           {"estimator_error", json_number(r.noise_error)},
           {"bias_bound", json_number(r.bias_bound)},
           {"rows_won_by_a", json_number(r.won)}};
  if (a.columns.levels > 0) {
    out["difference_bits_per_dim"] = estimate_json(bits_per_dim(r.difference, a.columns.dim()));
  }
  return out;
}

std::string verdict(const ComparisonReport& r, const Console& console) {
  const char* better = r.better();
  if (better == nullptr) return "no difference shown";
  return console.good(std::string(better) + " is better");
}

std::string result_text(const Model& a, const Model& b, const ComparisonReport& r,
                        const Console& console) {
  const auto left = Align::kLeft, right = Align::kRight;
  const std::string word = row_word(a.columns);
  TextTable table({"", "model", "step", "mean log p(x), nats per " + word},
                  {left, left, right, right});
  table.add_row({"A", a.checkpoint_path.string(), format_count(a.counters.step),
                 with_error(negative(r.nll_a))});
  table.add_row({"B", b.checkpoint_path.string(), format_count(b.counters.step),
                 with_error(negative(r.nll_b))});
  Facts facts;
  facts.add("data", r.data + ", " + rows_text(r.rows, r.effective_rows, word));
  facts.add("log p_A - log p_B", console.bold(with_error(r.difference)) + " nats per " + word);
  if (a.columns.levels > 0) {
    facts.add("", with_error(bits_per_dim(r.difference, a.columns.dim())) + " bits per dimension");
  }
  const Interval interval = r.interval();
  facts.add("95 % interval", fixed(interval.lower) + " to " + fixed(interval.upper) +
                                 (r.bias_bound > 0.0 ? ", the bias included" : ""));
  facts.add("verdict", verdict(r, console));
  facts.add(word + "s won by A", fixed(100.0 * r.won, 1) + " %");
  facts.add("pairing", "evaluated apart the error would be " + fixed(r.unpaired_error()));
  if (r.replicates > 1) {
    facts.add("estimator", "±" + brief(r.noise_error) + " nats of the error come from " +
                               std::to_string(r.replicates) + " random draws per " + word);
  }
  if (r.bias_bound > 0.0)
    facts.add("bias", "at most " + scientific(r.bias_bound) + " nats (certified, both models)");
  return table.str() + "\n" + facts.str();
}

int run_compare(const CompareArguments& arguments, const Console& console) {
  const LoadOptions options{.dtype = arguments.dtype,
                            .device = arguments.device,
                            .set = arguments.set,
                            .exact = arguments.exact};
  const Model a = load(arguments.a, options), b = load(arguments.b, options);
  const RowFeed feed = feed_of(arguments, a, b);
  RowProgress progress(console, "comparing", 0, row_word(a.columns) + "s");
  const ComparisonReport report = compare(
      *a.flow, *b.flow, a.columns, feed,
      {.rows = arguments.rows,
       .replicates = arguments.replicates,
       .rng = Rng(static_cast<uint64_t>(arguments.seed)).fork("compare"),
       .batch = arguments.batch,
       .done = [&progress](int64_t rows, double fraction) { progress.done(rows, fraction); }});
  console.result(result_json(a, b, report), result_text(a, b, report, console));
  return 0;
}

}  // namespace

Command add_compare(CLI::App& parent) {
  Command command = new_command(parent, "compare",
                                "Which of two models fits the same rows better, with its error.",
                                kCompareExamples);
  const auto a = std::make_shared<CompareArguments>();
  CLI::App& app = *command.app;
  app.add_option("A", a->a, "Run folder, or a checkpoint file.")->required();
  app.add_option("B", a->b, "Another one, of the same columns.")->required();
  add_split_option(app, a->split);
  add_changed_data_option(app, a->allow_changed);
  app.add_option("--data", a->data,
                 "Instead of --split: a file of rows (.csv, .tsv, .txt, .npy), or images.");
  app.add_option("--columns", a->columns,
                 "Columns of --data in the order of the models', by name or number from 0.")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--weight", a->weight,
                 "Column of --data with row weights; rows of --split have those of the training.");
  add_draw_options(app, a->rows, a->replicates, a->seed);
  add_batch_option(app, a->batch);
  app.add_flag("--exact", a->exact,
               "Exact log-determinants of all blocks, whatever the configs say.");
  add_set_option(app, a->set);
  add_dtype_option(app, a->dtype);
  add_device_option(app, a->device);
  command.run = [a](const Console& console) { return run_compare(*a, console); };
  return command;
}

}  // namespace contraflow::cli
