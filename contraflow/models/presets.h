#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/models/model_options.h"

namespace contraflow::models {

/// Names for `preset`, in the order of the docs.
std::vector<std::string> preset_names();
/// One line about a preset, with its source.
std::string preset_summary(std::string_view name);
/// The options of a preset; ConfigError with the nearest match for an unknown name.
ModelOptions preset(std::string_view name);
/// Options from JSON: the preset that the key "preset" names, overlaid with the other keys.
ModelOptions from_json(const nlohmann::ordered_json& json, std::string_view where);

/// The few settings most users change; unset ones are the preset's.
struct Settings {
  EventShape event = 2;
  int64_t condition = 0;
  std::optional<int64_t> blocks = std::nullopt;
  std::optional<double> lipschitz = std::nullopt;
  std::optional<Activation> activation = std::nullopt;
  ColumnKind columns = {};
  int64_t seed = 0;
};

/// Flows of the papers, ready to train; float32 on the CPU (flow->to(torch::kFloat64) for float64).
FlowPtr residual_flow(const Settings& settings);
FlowPtr idensenet(const Settings& settings);
FlowPtr implicit_flow(const Settings& settings);
FlowPtr monotone_flow(const Settings& settings);

}  // namespace contraflow::models
