#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/block_tables.h"
#include "cli/commands/common.h"
#include "contraflow/core/text.h"
#include "contraflow/data/column_plan.h"
#include "contraflow/data/image_files.h"
#include "contraflow/evaluation/exact_cost.h"
#include "contraflow/evaluation/flow_facts.h"
#include "contraflow/models/model_registry.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kInfoExamples =
    "Examples:\n"
    "  contraflow info runs/checkerboard\n"
    "  contraflow info runs/digits/checkpoint.safetensors --json\n\n"
    "What a checkpoint holds: its data, column by column with what the flow makes of each, how far "
    "it\n"
    "was trained and how well it does, and the steps that it is made of. Then what its estimators "
    "of the\n"
    "log-determinant cost and whether their variance is finite, the law of each block's roulette, "
    "and the\n"
    "matrices of learned forms. Of a model of images, the scales: the grid, how far a block reads "
    "on it, "
    "and\n"
    "what an exact evaluation takes. The training data are not needed.\n";

Json estimator_json(const EstimatorFacts& facts) {
  return {{"kind", facts.kind},
          {"expected_terms", facts.expected_terms},
          {"unbiased", facts.unbiased},
          {"finite_variance", facts.finite_variance},
          {"remark", facts.remark}};
}

bool sees_grid(const ScaleFacts& scale) { return scale.event.size() == 3; }

Json scale_json(const ScaleFacts& scale) {
  return {{"event", scale.event},
          {"blocks", scale.blocks},
          {"parameters", scale.parameters},
          {"receptive_radius", scale.has_radius ? Json(scale.radius) : Json()},
          {"jacobian_features", scale.cost.features},
          {"jacobian_products", scale.cost.products}};
}

Json scales_json(const std::vector<ScaleFacts>& scales) {
  Json out = Json::array();
  for (const ScaleFacts& scale : scales) out.push_back(scale_json(scale));
  return out;
}

// Of an exact evaluation in float64, which evaluate has by default.
constexpr int64_t kDoubleBytes = 8;

Json exact_evaluation_json(const std::vector<ScaleFacts>& scales) {
  if (scales.empty()) return nullptr;
  const ExactCost cost = exact_cost(scales, kDoubleBytes);
  return {{"features", cost.features},
          {"products", cost.products},
          {"bytes_per_row", cost.bytes_per_row},
          {"lu_operations_per_row", json_number(cost.operations)}};
}

// The grids that the blocks of a model of images work on; nothing for rows.
std::string scales_text(const std::vector<ScaleFacts>& scales, const data::Columns& columns) {
  if (std::none_of(scales.begin(), scales.end(), sees_grid)) return "";
  const auto right = Align::kRight;
  TextTable table({"scale", "event", "blocks", "parameters", "reads", "Jacobian", "products"},
                  {right, Align::kLeft, right, right, Align::kLeft, right, right});
  for (size_t k = 0; k < scales.size(); ++k) {
    const ScaleFacts& scale = scales[k];
    const std::string side = format_count(scale.cost.features);
    table.add_row({std::to_string(k + 1), data::image_size_text(scale.event),
                   format_count(scale.blocks), format_count(scale.parameters),
                   scale.has_radius ? std::to_string(scale.radius) + " pixels far" : "everything",
                   side + " x " + side, format_count(scale.cost.products)});
  }
  const ExactCost cost = exact_cost(scales, kDoubleBytes);
  const std::string word = row_word(columns);
  return table.str() + "\nAn exact evaluation takes " + format_bytes(cost.bytes_per_row) +
         " for each " + word + " that is computed at a time, and " + brief(cost.operations) +
         " operations of LU for each " + word + ", in float64.\n";
}

Json result_json(const Model& model) {
  Json out{{"command", "info"},
           {"checkpoint", model.checkpoint_path.string()},
           {"bytes", model.bytes},
           {"preset", model.run ? Json(models::preset_of(model.run->model)) : Json()},
           {"dim", model.columns.dim()},
           {"event", model.columns.event_shape},
           {"condition", model.columns.condition_size()},
           {"parameters", parameter_count(*model.flow)},
           {"transforms", Json::array()},
           {"base", model.spec.base}};
  for (const FlowPart& s : flow_parts(*model.flow)) {
    out["transforms"].push_back(
        {{"type", s.type}, {"count", s.count}, {"parameters", s.parameters}});
  }
  const std::vector<ScaleFacts> scales = scale_facts(*model.flow);
  out["scales"] = scales_json(scales);
  out["exact_evaluation"] = exact_evaluation_json(scales);
  if (const auto estimators = hardest_block(*model.flow)) {
    out["kappa"] = json_number(estimators->kappa);
    out["kappa_proven"] = estimators->proven;
    out["train_log_det"] = estimator_json(estimators->train);
    out["eval_log_det"] = estimator_json(estimators->evaluate);
    out["forms"] = block_matrices_json(block_matrices(*model.flow));
    out["roulette"] = block_laws_json(block_laws(*model.flow));
  }
  out["data"] = options_to_json(model.columns);
  out["column_notes"] = column_notes(*model.flow, model.columns.dim());
  out["data_name"] = model.run ? Json(model.run->data.name) : Json();
  out["step"] = model.counters.step;
  out["weights"] = enum_name(model.weights);
  if (const auto& best = model.counters.best) {
    out["best"] = {{"step", best->step},
                   {"validation_loss", json_number(best->loss.mean)},
                   {"standard_error", json_number(best->loss.standard_error)}};
  }
  out["config"] = model.run ? options_to_json(*model.run) : Json();
  return out;
}

// What each column is and what the flow makes of it, a line each, and what was left out.
void add_columns(const Model& model, Facts& facts) {
  constexpr size_t kMost = 40;
  const data::Columns& columns = model.columns;
  const std::vector<std::string> notes = column_notes(*model.flow, columns.dim());
  for (size_t c = 0; c < columns.infos.size() && c < kMost; ++c) {
    facts.add("", "  " + data::description(columns, c) + (notes[c].empty() ? "" : "; " + notes[c]));
  }
  if (columns.infos.size() > kMost) {
    facts.add("", "  and " + std::to_string(columns.infos.size() - kMost) +
                      " more; --json has all of them");
  }
  for (const data::LeftOut& column : columns.left_out) {
    facts.add("", "  " + column.name + ": left out, " + column.reason);
  }
}

std::string columns_text(const data::Columns& columns) {
  std::string out = has_image_events(columns) ? events_text(columns) + " (channels, height, width)"
                                              : std::to_string(columns.dim()) + " columns";
  if (columns.levels > 0) out += " of integers 0 .. " + std::to_string(columns.levels - 1);
  if (columns.bounds.size() == 2) {
    out += " within [" + fixed(columns.bounds[0], 2) + ", " + fixed(columns.bounds[1], 2) + "]";
  }
  if (!columns.infos.empty()) return out;  // they have a line each
  constexpr size_t kMostNames = 8;
  const std::vector<std::string>& names = columns.names;
  const std::vector<std::string> shown(
      names.begin(),
      names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNames)));
  if (!shown.empty()) out += ": " + join(shown, ", ") + (names.size() > kMostNames ? ", ..." : "");
  return out;
}

void add_data(const Model& model, Facts& facts) {
  const data::Columns& columns = model.columns;
  facts.add("data", (model.run ? model.run->data.name : "not named by the checkpoint") + ", " +
                        columns_text(columns));
  add_columns(model, facts);
  if (columns.condition_size() == 0) return;
  std::vector<std::string> names = columns.condition;
  if (!columns.label.empty()) names.push_back(columns.label);
  facts.add("given", join(names, ", ") + ": the density is conditional on " +
                         std::to_string(columns.condition_size()) + " numbers made of them");
}

// "120 of 5,000 steps", "1,437 steps in 1 min 00 s of a budget of 1 min 00 s".
std::string steps_text(const TrainingCounters& counters, const TrainingOptions& training) {
  std::string out = format_count(counters.step);
  if (training.steps > 0) out += " of " + format_count(training.steps);
  out += " steps";
  if (training.minutes <= 0.0) return out;
  return out + " in " + format_duration(counters.seconds) + " of a budget of " +
         format_duration(60.0 * training.minutes);
}

void add_training(const Model& model, Facts& facts) {
  if (model.run) {
    const TrainingOptions& training = model.run->training;
    facts.add("training", steps_text(model.counters, training) + ", " +
                              format_count(training.batch_size) + " " + row_word(model.columns) +
                              "s a step, Adam at a rate of " +
                              scientific(training.adam.learning_rate) + ", " +
                              enum_name(training.dtype) + ", for " + training.objective);
  }
  if (const auto& best = model.counters.best) {
    facts.add("validation", "loss " + with_error(best->loss) + " nats a " +
                                row_word(model.columns) + " at step " + format_count(best->step));
  }
  facts.add("weights", std::string(enum_name(model.weights)) + " ones in use");
}

void add_model(const Model& model, Facts& facts) {
  facts.add("flow",
            (model.run ? "model " + models::preset_of(model.run->model) + ", " : std::string()) +
                format_count(parameter_count(*model.flow)) + " parameters; from data to latent:");
  for (const FlowPart& s : flow_parts(*model.flow)) {
    facts.add("", "  " + std::to_string(s.count) + " x " + s.type +
                      (s.parameters > 0 ? ", " + format_count(s.parameters) + " parameters" : ""));
  }
  facts.add("latent", "follows the base density '" + model.spec.base.value("type", "") + "'");
  const auto estimators = hardest_block(*model.flow);
  if (!estimators) return;
  facts.add("inverses", "each block's network shrinks distances to at most " +
                            fixed(estimators->kappa) + " of them (" +
                            (estimators->proven ? "proven" : "estimated") +
                            " Lipschitz constant); below 1 a block can be undone");
  facts.add("log-determinant", "training: " + estimators->train.remark);
  facts.add("", "evaluation: " + estimators->evaluate.remark);
}

std::string result_text(const Model& model) {
  Facts facts;
  facts.add("checkpoint", model.checkpoint_path.string() + " (" + format_bytes(model.bytes) + ")");
  add_data(model, facts);
  add_training(model, facts);
  add_model(model, facts);
  const std::string laws = block_laws_text(block_laws(*model.flow));
  const std::string forms = block_matrices_text(block_matrices(*model.flow));
  const std::string scales = scales_text(scale_facts(*model.flow), model.columns);
  return facts.str() + (scales.empty() ? "" : "\n" + scales) + (forms.empty() ? "" : "\n" + forms) +
         (laws.empty() ? "" : "\n" + laws);
}

int run_info(const std::string& run, const Console& console) {
  const FloatType any = FloatType::kFloat32;
  const Model model = load(run, {.dtype = any});
  console.result(result_json(model), result_text(model));
  return 0;
}

}  // namespace

Command add_info(CLI::App& parent) {
  Command command =
      new_command(parent, "info", "What a checkpoint holds.", kInfoExamples, /*computes=*/false);
  const auto run = std::make_shared<std::string>();
  add_model_argument(*command.app, *run);
  command.run = [run](const Console& console) { return run_info(*run, console); };
  return command;
}

}  // namespace contraflow::cli
