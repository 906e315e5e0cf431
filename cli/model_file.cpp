#include "cli/model_file.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/toml.h"
#include "contraflow/training/run_folder.h"
#include "contraflow/training/state.h"
#include "contraflow/transforms/registry.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

fs::path checkpoint_of(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    fail<IoError>("model", path.string(), "a run folder or a checkpoint",
                  "a path that does not exist", "Train one with 'contraflow train'.");
  }
  if (!fs::is_directory(path, error)) return path;
  const fs::path file = path / "checkpoint.safetensors";
  if (fs::exists(file, error)) return file;
  fail<IoError>("model", path.string(), "a run folder with checkpoint.safetensors", "none in it",
                RunFolder::holds_run(path)
                    ? "The run was stopped before its first checkpoint; go on with "
                      "'contraflow train --resume'."
                    : "Name the folder given to 'contraflow train --out'.");
}

const Json& part(const Json& config, const char* key, const std::string& source) {
  if (config.is_object() && config.contains(key)) return config[key];
  fail<IoError>("model", source,
                std::string("a checkpoint of 'contraflow train' with '") + key + "'", "one without",
                "Use a checkpoint that the program wrote.");
}

void fill_from(const Json& config, const std::string& source, ModelFile& model) {
  const Json run{{"data", part(config, "data", source)},
                 {"model", part(config, "model", source)},
                 {"training", part(config, "training", source)}};
  model.config = run_config_from_json(run, source);
  model.columns = options_from_json<DataColumns>(part(config, "columns", source), source);
  model.spec = options_from_json<FlowSpec>(part(config, "flow", source), source);
}

// `eval_log_det.kind=krylov` of `model.eval_log_det.kind=krylov`.
std::string evaluation_assignment(const std::string& assignment) {
  constexpr std::string_view kPrefix = "model.";
  const std::string key = assignment.substr(0, assignment.find('='));
  const std::string own =
      key.starts_with(kPrefix) ? key.substr(kPrefix.size()) : std::string("another");
  const std::string head = own.substr(0, own.find('.'));
  for (const char* known : {"eval_log_det", "solver", "tolerance"}) {
    if (head == known) return assignment.substr(kPrefix.size());
  }
  fail<ConfigError>("--set", key, "model.eval_log_det, model.solver or model.tolerance",
                    "another key",
                    "Only how a trained model is evaluated can be set; train another one for the "
                    "rest.");
}

FlowSpec evaluated_otherwise(FlowSpec spec, const std::vector<std::string>& set,
                             const std::string& source) {
  for (const std::string& assignment : set) {
    const std::string own = evaluation_assignment(assignment);
    const std::string option = own.substr(0, own.find_first_of(".="));
    const int64_t changed = change_leaves(spec.transform, [&](const TransformEntry&, Json& options) {
      if (!options.contains(option)) return false;
      apply_assignment(options, own);
      return true;
    });
    if (changed == 0) {
      fail<ConfigError>("--set", "model." + option, "a model with a transform that has this option",
                        "none of that kind in " + source, "Leave it out.");
    }
  }
  return resolve_flow_spec(spec, source);
}

// Tensors that only one of the two has belong to an estimator, a measured law: they are left alone.
void copy_shared_state(const Flow& from, Flow& to) {
  const at::NoGradGuard guard;
  const NamedTensors source = state_of(from);
  for (const auto& [name, target] : state_of(to)) {
    const auto found = source.find(name);
    if (found != source.end()) target.copy_(found->second);
  }
}

}  // namespace

bool ModelFile::is_random() const {
  return flow->randomness(Phase::kEvaluate) != Randomness::kNone;
}

bool ModelFile::is_biased() const {
  return flow->randomness(Phase::kEvaluate) == Randomness::kBiased;
}

ModelFile load_model(const fs::path& path, const LoadOptions& options) {
  ModelFile model;
  model.checkpoint_path = checkpoint_of(path);
  const std::string source = model.checkpoint_path.string();
  const Checkpoint checkpoint = load_checkpoint(model.checkpoint_path);
  fill_from(checkpoint.config, source, model);
  model.counters = checkpoint.counters;
  model.has_ema = !checkpoint.ema.empty();
  model.bytes = static_cast<int64_t>(fs::file_size(model.checkpoint_path));
  model.flow = build_flow(model.spec, source);
  const at::ScalarType trained = scalar_type(model.config.training.dtype);
  if (trained != at::kFloat) model.flow->to(trained);
  model.weights = load_weights(*model.flow, checkpoint, options.weights, source);
  if (!options.set.empty()) {
    model.spec = evaluated_otherwise(model.spec, options.set, source);
    const FlowPtr flow = build_flow(model.spec, source);
    if (trained != at::kFloat) flow->to(trained);
    copy_shared_state(*model.flow, *flow);
    model.flow = flow;
  }
  if (trained != scalar_type(options.dtype)) model.flow->to(scalar_type(options.dtype));
  model.flow->eval();
  return model;
}

data::Dataset open_model_data(const ModelFile& model) {
  data::Dataset dataset = data::open_data(model.config.data, at::kDouble);
  Json expected = options_to_json(model.columns), got = options_to_json(columns_of(dataset));
  for (const char* fact : {"entropy", "plot_box"}) {  // about the data, and may be corrected
    expected.erase(fact);
    got.erase(fact);
  }
  check_same_config(
      expected, got, "data of the model",
      "The data are no longer those of the training; restore " + model.config.data.name + ".");
  return dataset;
}

const data::Source& split_of(const data::Dataset& dataset, const std::string& split) {
  const data::SourcePtr& source = split == "train"        ? dataset.splits.train
                                  : split == "validation" ? dataset.splits.validation
                                                          : dataset.splits.test;
  if (source != nullptr) return *source;
  fail<ConfigError>("data", "--split " + split, "a split with rows", "none in " + dataset.name,
                    "Choose another of train, validation and test.");
}

}  // namespace contraflow::cli
