#include "contraflow/runs/run_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/core/toml.h"
#include "contraflow/models/model_registry.h"
#include "contraflow/runs/marginals.h"
#include "contraflow/training/objective_registry.h"
#include "contraflow/transforms/marginal_dequantize.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;

void check_objective(const RunConfig& config) {
  const ObjectiveEntry& objective = find_objective(config.training.objective, "train");
  if (!objective.needs_energy || energy_of(config)) return;
  fail<ConfigError>(
      "train", "training.objective",
      "\"max_likelihood\" for data without an energy, such as '" + config.data.name + "'",
      "\"" + objective.name + "\"", "Set data.name to u1, u2, u3 or u4 for reverse KL.");
}

void check_dataset(const data::Dataset& dataset, const TrainingOptions& training) {
  const bool needs_rows = find_objective(training.objective, "train").needs_rows;
  if (needs_rows && training.validate_every > 0 && dataset.splits.validation == nullptr) {
    fail<ConfigError>("train", "data.validation_rows", "rows to validate on", "none",
                      "Raise it or data.validation_fraction, or set training.validate_every = 0.");
  }
  const auto rows = dataset.splits.train->size();
  if (rows && *rows < 2) {
    fail<ConfigError>("train", dataset.name, "at least two training rows", "one",
                      "Give more rows, or make the validation and test splits smaller.");
  }
}

// Whether the model has curves of columns at all, which take their time to choose.
bool takes_curves(const Json& model, EventInfo info) {
  const Json without = models::model_spec(model, info).transform;
  info.marginal_knots.assign(info.columns.size(), 2);
  return models::model_spec(model, info).transform != without;
}

bool counts_levels(const FlowSpec& spec) {
  const Json members = spec.transform.value("transforms", Json::array());
  return std::any_of(members.begin(), members.end(), [](const Json& member) {
    return member.value("type", "") == MarginalDequantize::kType;
  });
}

// Levels of pixels are counted in as many training images as fit a few hundred megabytes.
void count_all_images(const data::Dataset& dataset, const FlowSpec& spec, RunConfig& config) {
  constexpr int64_t kMostNumbers = int64_t{1} << 26;
  const EventShape event(dataset.columns.event_shape);
  if (event.sizes().size() != 3 || !counts_levels(spec)) return;
  const int64_t rows = dataset.splits.train->size().value_or(0);
  config.training.init_rows =
      std::max(config.training.init_rows, std::min(rows, kMostNumbers / event.size()));
}

// The flow of a config for its data. Curves of columns want all training rows to start from, not the
// few that a mean needs.
FlowSpec spec_for(const data::Dataset& dataset, RunConfig& config) {
  EventInfo info = dataset.columns.event_info();
  const FlowSpec plain = resolve_flow_spec(models::model_spec(config.model, info), "model");
  count_all_images(dataset, plain, config);
  if (info.columns.empty() || !takes_curves(config.model, info)) return plain;
  const MarginalChoice marginals = choose_marginals(dataset, config.data.seed);
  info.marginal_knots = marginals.knots;
  const FlowSpec spec = resolve_flow_spec(models::model_spec(config.model, info), "model");
  if (spec.transform == plain.transform) return spec;
  for (const std::string& note : marginals.notes) log(LogLevel::kInfo, note);
  config.training.init_rows = std::max(config.training.init_rows, marginals.rows);
  return spec;
}

}  // namespace

TrainingOptions default_training() {
  TrainingOptions out;
  out.adam.learning_rate = 1e-2;
  out.schedule.kind = Schedule::kCosine;
  out.schedule.warmup_steps = std::nullopt;
  out.ema_decay = 0.99;
  out.patience = std::nullopt;
  return out;
}

RunConfig run_config_from_json(const Json& json, std::string_view where) {
  RunConfig config;
  update_options(config, json, where);
  config.model = models::read_model(config.model, where);
  return config;
}

std::vector<OptionInfo> describe_run_config() {
  std::vector<OptionInfo> out;
  for (OptionInfo& row : describe_options(RunConfig{})) {
    if (row.path != "model") {
      out.push_back(std::move(row));
      continue;
    }
    for (OptionInfo& key : models::describe_model()) out.push_back(std::move(key));
  }
  return out;
}

std::string PreparedRun::config_toml() const { return to_toml(options_to_json(config)); }

Json PreparedRun::metadata() const {
  Json out = options_to_json(config);
  out["columns"] = options_to_json(columns);
  if (dataset.identity) out["identity"] = options_to_json(*dataset.identity);
  return out;
}

std::optional<EnergyKind> energy_of(const RunConfig& config) {
  return find_energy(config.data.name);
}

void make_path_absolute(data::DataOptions& data) {
  const auto from_root = [](std::string& name) {
    std::error_code error;
    if (!std::filesystem::exists(name, error)) return;  // open_data says so
    const auto path = std::filesystem::absolute(name, error);
    if (!error) name = path.lexically_normal().string();
  };
  const std::vector<std::string> builtin = data::builtin_data_names();
  if (std::find(builtin.begin(), builtin.end(), data.name) != builtin.end()) return;
  from_root(data.name);
  if (data::is_row_file(data.weight)) from_root(data.weight);
}

PreparedRun prepare_run(RunConfig config) {
  check_objective(config);
  make_path_absolute(config.data);
  PreparedRun run;
  run.dataset = data::open_data(config.data, scalar_type(config.training.dtype));
  for (const std::string& note : run.dataset.notes) log(LogLevel::kInfo, note);
  check_dataset(run.dataset, config.training);
  run.columns = run.dataset.columns;
  config.model = models::read_model(config.model, "train");
  run.spec = spec_for(run.dataset, config);
  run.flow = build_flow(run.spec, "model");
  run.config = std::move(config);
  return run;
}

}  // namespace contraflow
