#include "contraflow/runs/model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/event_shape.h"
#include "contraflow/core/log.h"
#include "contraflow/core/text.h"
#include "contraflow/core/toml.h"
#include "contraflow/data/domain.h"
#include "contraflow/evaluation/samples.h"
#include "contraflow/training/run_folder.h"
#include "contraflow/training/state.h"
#include "contraflow/transforms/registry.h"

namespace contraflow {
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

FlowPtr built(const FlowSpec& spec, at::ScalarType dtype, const std::string& source) {
  FlowPtr flow = build_flow(spec, source);
  if (dtype != at::kFloat) flow->to(dtype);
  return flow;
}

// The config of a run, if it is one: a flow that a C++ program trained has none.
std::optional<RunConfig> run_of(const Json& config, const std::string& source) {
  Json run = Json::object();
  for (const char* key : {"data", "model", "training"}) {
    if (!config.is_object() || !config.contains(key)) return std::nullopt;
    run[key] = config[key];
  }
  return run_config_from_json(run, source);
}

std::vector<std::string> numbered(const char* letter, int64_t count) {
  std::vector<std::string> out;
  for (int64_t k = 0; k < count; ++k) out.push_back(letter + std::to_string(k));
  return out;
}

data::Columns columns_of_shape(const Flow& flow) {
  data::Columns out;
  out.event_shape = flow.event_shape();
  if (out.event_shape.size() == 1) out.names = numbered("x", out.event_shape.front());
  out.condition = numbered("c", EventShape(flow.condition_shape()).size());
  return out;
}

void check_columns(const Flow& flow, const data::Columns& columns, const std::string& source) {
  const int64_t condition = EventShape(flow.condition_shape()).size();
  if (columns.event_shape == flow.event_shape() && columns.condition_size() == condition) return;
  fail<ConfigError>(
      "model", source,
      c10::str("columns for events of shape ", at::IntArrayRef(flow.event_shape()), " and ",
               condition, " numbers of condition, those of the flow"),
      c10::str(at::IntArrayRef(columns.event_shape), " and ", columns.condition_size()),
      "Describe the columns of the flow.");
}

data::Columns columns_of(const Json& config, const Flow& flow, const std::string& source) {
  if (!config.is_object() || !config.contains("columns")) return columns_of_shape(flow);
  const auto out = options_from_json<data::Columns>(config["columns"], source);
  check_columns(flow, out, source);
  return out;
}

std::optional<data::DataIdentity> identity_of(const Json& config, const std::string& source) {
  if (!config.is_object() || !config.contains("identity")) return std::nullopt;
  return options_from_json<data::DataIdentity>(config["identity"], source);
}

// One line; the training said the rest.
void log_read(const data::Dataset& dataset, const data::DataIdentity& known) {
  log(LogLevel::kInfo, "read " + format_count(dataset.identity->rows) +
                           (dataset.columns.event_shape.size() > 1 ? " images of " : " rows of ") +
                           dataset.name +
                           (dataset.identity->checksum == known.checksum
                                ? ", the data of the training"
                                : ", which changed since the training: only the parts that were "
                                  "held out are free of trained rows"));
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

// How many leaves of the spec have the key of `assignment`, which they get.
int64_t assign_to_leaves(FlowSpec& spec, const std::string& assignment, const std::string& source) {
  const std::string key = assignment.substr(0, assignment.find_first_of(".="));
  const auto change = [&](const TransformEntry& /*entry*/, Json& options) {
    if (!options.contains(key)) return false;
    apply_assignment(options, assignment);
    return true;
  };
  return change_leaves(spec.transform, change, source);
}

void check_exact(const LoadOptions& options) {
  for (const std::string& assignment : options.set) {
    if (!options.exact || !evaluation_assignment(assignment).starts_with("eval_log_det")) continue;
    fail<ConfigError>("--exact", "--set", "one of the two to choose the log-determinant",
                      shorten(assignment), "Drop one of them.");
  }
}

FlowSpec evaluated_otherwise(FlowSpec spec, const LoadOptions& options, const std::string& source) {
  check_exact(options);
  if (options.exact) assign_to_leaves(spec, "eval_log_det=exact", source);
  for (const std::string& assignment : options.set) {
    const std::string own = evaluation_assignment(assignment);
    if (assign_to_leaves(spec, own, source) > 0) continue;
    const std::string key = own.substr(0, own.find_first_of(".="));
    fail<ConfigError>("--set", "model." + key, "a model with a block that has it", "none",
                      "Drop it: nothing in this model is evaluated that way.");
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

FloatType float_type(const Flow& flow) {
  return kind_of(flow).dtype() == at::kDouble ? FloatType::kFloat64 : FloatType::kFloat32;
}

}  // namespace

const RunConfig& Model::config() const {
  if (run) return *run;
  fail<ConfigError>("model", checkpoint_path.string(), "a run of 'contraflow train'",
                    "a flow that was saved without a config",
                    "It names no data and no training: score rows of a file, or draw samples.");
}

LogProbWithError Model::score(const data::Batch& batch, const ScoreOptions& options) const {
  data::check_domain(batch.x, columns, "x", batch.first_row);
  return score_batch(*flow, batch, options);
}

at::Tensor Model::log_prob(const at::Tensor& x, const at::Tensor& condition) const {
  return score({.x = x, .condition = condition, .weight = {}}).log_prob;
}

at::Tensor Model::sample(int64_t count, int64_t seed, const at::Tensor& given) const {
  std::vector<at::Tensor> parts;
  draw_in_chunks(*flow, {.count = count, .rng = sample_rng(seed), .given = given},
                 [&](const SampleWithLogProb& part, int64_t) {
                   parts.push_back(inside_bounds(part.sample, columns));
                 });
  return at::cat(parts);
}

Rng sample_rng(int64_t seed) { return Rng(static_cast<uint64_t>(seed)).fork("sample"); }
Rng score_rng(int64_t seed) { return Rng(static_cast<uint64_t>(seed)).fork("score"); }

at::Tensor inside_bounds(const at::Tensor& x, const data::Columns& columns) {
  return columns.bounds.size() == 2 ? x.clamp(columns.bounds[0], columns.bounds[1]) : x;
}

Model load(const fs::path& path, const LoadOptions& options) {
  Model model;
  model.checkpoint_path = checkpoint_of(path);
  const std::string source = model.checkpoint_path.string();
  const at::Device device = resolve_device(options.device, "--device");
  const Checkpoint checkpoint = load_checkpoint(model.checkpoint_path);
  model.spec = flow_spec_of(checkpoint, source);
  const at::ScalarType trained =
      scalar_type(options_from_json<TrainingOptions>(checkpoint.training, source).dtype);
  model.flow = built(model.spec, trained, source);
  model.weights = load_weights(*model.flow, checkpoint, options.weights, source);
  model.run = run_of(checkpoint.config, source);
  model.columns = columns_of(checkpoint.config, *model.flow, source);
  model.identity = identity_of(checkpoint.config, source);
  model.counters = checkpoint.counters;
  model.has_ema = !checkpoint.ema.empty();
  model.bytes = static_cast<int64_t>(fs::file_size(model.checkpoint_path));
  if (!options.set.empty() || options.exact) {
    model.spec = evaluated_otherwise(model.spec, options, source);
    const FlowPtr flow = built(model.spec, trained, source);
    copy_shared_state(*model.flow, *flow);
    model.flow = flow;
  }
  if (trained != scalar_type(options.dtype)) model.flow->to(scalar_type(options.dtype));
  if (!device.is_cpu()) model.flow->to(device);
  model.flow->eval();
  return model;
}

void save(const Flow& flow, const fs::path& path, const std::optional<data::Columns>& columns) {
  Checkpoint out;
  out.training = options_to_json(TrainingOptions{.dtype = float_type(flow)});
  out.spec = options_to_json(spec_of(flow));
  if (columns) {
    check_columns(flow, *columns, path.string());
    out.config["columns"] = options_to_json(*columns);
  }
  out.ready = true;
  for (const auto& [name, tensor] : state_of(flow)) out.weights.emplace(name, tensor.cpu());
  save_checkpoint(path, out);
}

data::Dataset open_data(const Model& model, bool allow_changed) {
  const data::DataOptions& options = model.config().data;
  if (model.identity) {
    const data::KnownData known{model.columns, *model.identity, allow_changed};
    data::Dataset dataset = data::open_data(options, at::kDouble, &known);
    log_read(dataset, *model.identity);
    return dataset;
  }
  data::Dataset dataset = data::open_data(options, at::kDouble);
  if (dataset.identity) {
    fail<ConfigError>("model", model.checkpoint_path.string(),
                      "a run that knows which rows it was trained on",
                      "one of an earlier version, which does not", "Train it anew.");
  }
  Json expected = options_to_json(model.columns), got = options_to_json(dataset.columns);
  for (const char* fact : {"entropy", "plot_box", "image"}) {  // about the data: may be corrected
    expected.erase(fact);
    got.erase(fact);
  }
  check_same_config(expected, got, "data of the model",
                    "The data are no longer those of the training; restore " + options.name + ".");
  return dataset;
}

}  // namespace contraflow
