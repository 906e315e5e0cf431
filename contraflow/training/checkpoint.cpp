#include "contraflow/training/checkpoint.h"

#include <ATen/ATen.h>

#include <limits>

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/core/safetensors.h"
#include "contraflow/training/ema.h"
#include "contraflow/training/training_options.h"

namespace contraflow {
namespace {

using nlohmann::ordered_json;

constexpr const char* kCheckpoint = "checkpoint";
constexpr const char* kFormat = "contraflow-checkpoint";

struct Group {
  const char* prefix;
  NamedTensors Checkpoint::*tensors;
};
constexpr std::array kGroups{Group{"weights.", &Checkpoint::weights},
                             Group{"ema.", &Checkpoint::ema}, Group{"best.", &Checkpoint::best},
                             Group{"adam.first_moment.", &Checkpoint::first_moment},
                             Group{"adam.second_moment.", &Checkpoint::second_moment}};

double number_from(const ordered_json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

ordered_json counters_to_json(const TrainingCounters& c) {
  ordered_json out{{"step", c.step}, {"stale_validations", c.stale_validations}};
  if (c.best) {
    out["best"] = {{"step", c.best->step},
                   {"loss", json_number(c.best->loss.mean)},
                   {"standard_error", json_number(c.best->loss.standard_error)},
                   {"rows", c.best->loss.count}};
  }
  if (c.seconds > 0.0) out["seconds"] = c.seconds;
  return out;
}

TrainingCounters counters_from_json(const ordered_json& json) {
  TrainingCounters c;
  c.step = json.at("step").get<int64_t>();
  c.stale_validations = json.at("stale_validations").get<int64_t>();
  c.seconds = json.value("seconds", 0.0);
  if (json.contains("best")) {
    const ordered_json& best = json["best"];
    c.best = BestValidation{best.at("step").get<int64_t>(),
                            {number_from(best.at("loss")), number_from(best.at("standard_error")),
                             best.at("rows").get<int64_t>()}};
  }
  return c;
}

[[noreturn]] void malformed(const std::string& path, const std::string& expected,
                            const std::string& got) {
  fail<IoError>(kCheckpoint, path, expected, got,
                "Use a checkpoint that contraflow wrote; this one may be damaged.");
}

const std::string& metadata(const SafetensorsFile& file, const char* key, const std::string& path) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) {
    malformed(path, std::string("metadata '") + key + "'", "none");
  }
  return found->second;
}

void check_format(const SafetensorsFile& file, const std::string& path) {
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kFormat) {
    malformed(path, std::string("format '") + kFormat + "' in the metadata",
              format == file.metadata.end() ? "none" : "'" + format->second + "'");
  }
  const std::string& version = metadata(file, "format_version", path);
  if (version == std::to_string(kCheckpointVersion)) return;
  if (version == "1") {
    fail<IoError>(kCheckpoint, path, "format version " + std::to_string(kCheckpointVersion), "'1'",
                  "Version 1 had models of rows alone, under other option names: train the model "
                  "again, or use it with the version of contraflow that wrote it.");
  }
  fail<IoError>(kCheckpoint, path, "format version " + std::to_string(kCheckpointVersion),
                "'" + version + "'", "Read it with the version of contraflow that wrote it.");
}

void sort_tensors(const SafetensorsFile& file, const std::string& path, Checkpoint& checkpoint) {
  for (const auto& [name, tensor] : file.tensors) {
    bool known = false;
    for (const Group& group : kGroups) {
      if (!name.starts_with(group.prefix)) continue;
      const std::string rest = name.substr(std::string_view(group.prefix).size());
      (checkpoint.*group.tensors).emplace(rest, tensor);
      known = true;
    }
    if (!known) malformed(path, "tensors under weights, ema, best and adam", "'" + name + "'");
  }
}

// The averaged parameters with the other tensors of the training state.
NamedTensors averaged_state(const Checkpoint& checkpoint, const std::string& source) {
  NamedTensors state = checkpoint.weights;
  for (const auto& [name, tensor] : checkpoint.ema) {
    const auto found = state.find(name);
    if (found == state.end())
      malformed(source, "weights for every averaged parameter", "none for " + name);
    found->second = tensor;
  }
  return state;
}

WeightChoice resolve(const Checkpoint& checkpoint, WeightChoice choice, const std::string& source) {
  if (choice == WeightChoice::kSelected) {
    if (!checkpoint.best.empty()) return WeightChoice::kBest;
    return checkpoint.ema.empty() ? WeightChoice::kLast : WeightChoice::kEma;
  }
  const bool missing = (choice == WeightChoice::kBest && checkpoint.best.empty()) ||
                       (choice == WeightChoice::kEma && checkpoint.ema.empty());
  if (!missing) return choice;
  fail<ConfigError>(
      kCheckpoint, source, std::string(enum_name(choice)) + " weights", "none",
      choice == WeightChoice::kBest
          ? "They come from validation (training.validate_every); use 'last' or 'ema'."
          : "They come from averaging (training.ema_decay); use 'last' or 'best'.");
}

void differ(const ordered_json& expected, const ordered_json& got, const std::string& path,
            const std::string& where, const std::string& remedy) {
  if (expected == got) return;
  const auto inside = [&path](const std::string& key) {
    return path.empty() ? key : path + "." + key;
  };
  if (expected.is_object() && got.is_object()) {
    for (const auto& [key, value] : expected.items()) {
      differ(value, got.contains(key) ? got[key] : ordered_json(), inside(key), where, remedy);
    }
    for (const auto& [key, value] : got.items()) {
      if (!expected.contains(key)) differ(ordered_json(), value, inside(key), where, remedy);
    }
    return;
  }
  fail<ConfigError>(where, path.empty() ? "configuration" : path, json_text(expected),
                    json_text(got), remedy);
}

SafetensorsFile to_file(const Checkpoint& checkpoint) {
  SafetensorsFile file;
  file.metadata = {{"format", kFormat},
                   {"format_version", std::to_string(kCheckpointVersion)},
                   {"config", json_text(checkpoint.config)},
                   {"training", json_text(checkpoint.training)},
                   {"spec", json_text(checkpoint.spec)},
                   {"counters", json_text(counters_to_json(checkpoint.counters))}};
  if (checkpoint.ready) file.metadata.emplace("ready", "true");
  for (const Group& group : kGroups) {
    for (const auto& [name, tensor] : checkpoint.*group.tensors) {
      file.tensors.emplace(group.prefix + name, tensor);
    }
  }
  return file;
}

Checkpoint from_file(const SafetensorsFile& file, const std::string& name) {
  check_format(file, name);
  Checkpoint checkpoint;
  try {
    checkpoint.config = parse_json(metadata(file, "config", name), name);
    checkpoint.training = parse_json(metadata(file, "training", name), name);
    checkpoint.spec = parse_json(metadata(file, "spec", name), name);
    checkpoint.counters = counters_from_json(parse_json(metadata(file, "counters", name), name));
  } catch (const ConfigError& error) {  // it is the file that is at fault, not an option
    malformed(name, "metadata of a run as JSON", error.what());
  } catch (const nlohmann::json::exception& error) {
    malformed(name, "metadata of a run as JSON", error.what());
  }
  checkpoint.ready = file.metadata.count("ready") > 0;
  if (checkpoint.counters.step < 0)
    malformed(name, "a step >= 0", std::to_string(checkpoint.counters.step));
  sort_tensors(file, name, checkpoint);
  if (checkpoint.counters.best.has_value() == checkpoint.best.empty()) {
    malformed(name, "best weights exactly when a best validation is recorded",
              "one without the other");
  }
  return checkpoint;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  write_safetensors(path, to_file(checkpoint));
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  return from_file(read_safetensors(path), path.string());
}

std::string checkpoint_to_bytes(const Checkpoint& checkpoint) {
  return safetensors_to_bytes(to_file(checkpoint));
}

Checkpoint checkpoint_from_bytes(std::string_view bytes, std::string_view name) {
  return from_file(safetensors_from_bytes(bytes, name), std::string(name));
}

WeightChoice load_weights(Flow& flow, const Checkpoint& checkpoint, WeightChoice choice,
                          const std::string& source) {
  const WeightChoice chosen = resolve(checkpoint, choice, source);
  const NamedTensors state = state_of(flow);
  const StateOrigin origin{kCheckpoint, source};
  if (chosen == WeightChoice::kBest) {
    copy_state(state, checkpoint.best, origin);
    return chosen;
  }
  if (chosen == WeightChoice::kLast && checkpoint.ready) {
    copy_state(state, checkpoint.weights, origin);
    return chosen;
  }
  const NamedTensors before = clone_state(state);
  copy_state(state,
             chosen == WeightChoice::kEma ? averaged_state(checkpoint, source) : checkpoint.weights,
             origin);
  try {
    refresh_state(flow);
  } catch (...) {
    copy_state(state, before, origin);
    throw;
  }
  return chosen;
}

FlowSpec flow_spec_of(const Checkpoint& checkpoint, const std::string& source) {
  if (!checkpoint.spec.is_null()) return options_from_json<FlowSpec>(checkpoint.spec, source);
  fail<IoError>(kCheckpoint, source, "a checkpoint that holds its flow as data", "one without",
                "Build the flow as it was built for training, and use load_weights().");
}

FlowPtr flow_of(const Checkpoint& checkpoint, const std::string& source, WeightChoice choice) {
  const FlowPtr flow = build_flow(flow_spec_of(checkpoint, source), source);
  const auto training = options_from_json<TrainingOptions>(checkpoint.training, source);
  flow->to(scalar_type(training.dtype));
  load_weights(*flow, checkpoint, choice, source);
  return flow;
}

void check_same_config(const ordered_json& expected, const ordered_json& got,
                       const std::string& where, const std::string& remedy) {
  differ(expected, got, "", where, remedy);
}

}  // namespace contraflow
