#include <nlohmann/json.hpp>

#include "cli/block_tables.h"
#include "cli/commands/common.h"
#include "contraflow/core/text.h"
#include "contraflow/data/column_plan.h"
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
    "A summary of the model in a checkpoint: its blocks and parameters, what its log-determinant\n"
    "estimators cost and whether their variance is finite for the certified bound, the law of "
    "each\n"
    "block's roulette, the matrices of learned forms, its data and how far it was trained. The\n"
    "training data are not needed.\n";

Json estimator_json(const EstimatorFacts& facts) {
  return {{"kind", facts.kind},
          {"expected_terms", facts.expected_terms},
          {"unbiased", facts.unbiased},
          {"finite_variance", facts.finite_variance},
          {"remark", facts.remark}};
}

Json result_json(const Model& model) {
  Json out{{"command", "info"},
           {"checkpoint", model.checkpoint_path.string()},
           {"bytes", model.bytes},
           {"preset", model.run ? Json(models::preset_of(model.run->model)) : Json()},
           {"dim", model.columns.dim()},
           {"condition", model.columns.condition_size()},
           {"parameters", parameter_count(*model.flow)},
           {"transforms", Json::array()},
           {"base", model.spec.base}};
  for (const FlowPart& s : flow_parts(*model.flow)) {
    out["transforms"].push_back(
        {{"type", s.type}, {"count", s.count}, {"parameters", s.parameters}});
  }
  if (const auto estimators = hardest_block(*model.flow)) {
    out["kappa"] = json_number(estimators->kappa);
    out["kappa_proven"] = estimators->proven;
    out["train_log_det"] = estimator_json(estimators->train);
    out["eval_log_det"] = estimator_json(estimators->evaluate);
    out["forms"] = block_matrices_json(block_matrices(*model.flow));
    out["roulette"] = block_laws_json(block_laws(*model.flow));
  }
  out["data"] = options_to_json(model.columns);
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

// What each column is, a line each, and what was left out.
void add_columns(const data::Columns& columns, Facts& facts) {
  constexpr size_t kMost = 40;
  for (size_t c = 0; c < columns.infos.size() && c < kMost; ++c) {
    facts.add("", data::description(columns, c));
  }
  for (const data::LeftOut& column : columns.left_out) {
    facts.add("", column.name + ": left out, " + column.reason);
  }
}

std::string columns_text(const data::Columns& columns) {
  std::string out = std::to_string(columns.dim()) + " columns";
  if (columns.levels > 0) out += " of integers 0 .. " + std::to_string(columns.levels - 1);
  if (columns.bounds.size() == 2) {
    out += " within [" + fixed(columns.bounds[0], 2) + ", " + fixed(columns.bounds[1], 2) + "]";
  }
  constexpr size_t kMostNames = 8;
  const std::vector<std::string>& names = columns.names;
  const std::vector<std::string> shown(
      names.begin(),
      names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNames)));
  if (!shown.empty()) out += ": " + join(shown, ", ") + (names.size() > kMostNames ? ", ..." : "");
  return out;
}

void add_model(const Model& model, Facts& facts) {
  facts.add("checkpoint", model.checkpoint_path.string() + " (" + format_bytes(model.bytes) + ")");
  facts.add("model",
            (model.run ? "preset " + models::preset_of(model.run->model) + ", " : std::string()) +
                format_count(parameter_count(*model.flow)) + " parameters");
  for (const FlowPart& s : flow_parts(*model.flow)) {
    facts.add("", std::to_string(s.count) + " x " + s.type +
                      (s.parameters > 0 ? ", " + format_count(s.parameters) + " parameters" : ""));
  }
  facts.add("base", model.spec.base.value("type", ""));
  const auto estimators = hardest_block(*model.flow);
  if (!estimators) return;
  facts.add("Lip(G)", "at most " + fixed(estimators->kappa) + " in every block, " +
                          (estimators->proven ? "proven" : "estimated"));
  facts.add("log-det, training", estimators->train.remark);
  facts.add("log-det, evaluation", estimators->evaluate.remark);
}

void add_training(const Model& model, const TrainingOptions& training, Facts& facts) {
  facts.add("objective", training.objective);
  facts.add("training", format_count(model.counters.step) + " of " + format_count(training.steps) +
                            " steps, batch " + format_count(training.batch_size) + ", Adam at " +
                            scientific(training.adam.learning_rate) + ", " +
                            enum_name(training.dtype));
}

std::string result_text(const Model& model) {
  Facts facts;
  add_model(model, facts);
  facts.add("data", model.run ? model.run->data.name : "not named by the checkpoint");
  facts.add("", columns_text(model.columns));
  add_columns(model.columns, facts);
  if (model.columns.condition_size() > 0) {
    facts.add("condition", std::to_string(model.columns.condition_size()) + " numbers: " +
                               join(model.columns.condition, ", ") + model.columns.label);
  }
  if (model.run) add_training(model, model.run->training, facts);
  if (const auto& best = model.counters.best) {
    facts.add("validation", with_error(best->loss) + " nats at step " + format_count(best->step));
  }
  facts.add("weights in use", enum_name(model.weights));
  const std::string laws = block_laws_text(block_laws(*model.flow));
  const std::string forms = block_matrices_text(block_matrices(*model.flow));
  return facts.str() + (forms.empty() ? "" : "\n" + forms) + (laws.empty() ? "" : "\n" + laws);
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
