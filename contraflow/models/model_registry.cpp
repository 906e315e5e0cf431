#include "contraflow/models/model_registry.h"

#include "contraflow/core/error.h"
#include "contraflow/core/unknown_name.h"
#include "contraflow/models/contractive.h"
#include "contraflow/models/image_flow.h"

namespace contraflow::models {
namespace {

// The one key that every model has.
struct PresetChoice {
  std::string preset = kDefaultPreset;
};

template <class Field>
void visit(PresetChoice& o, Field&& field) {
  field("preset", o.preset, "Starting point of the other settings.");
}

// "preset" first, as a config file has it.
Json with_preset(const std::string& name, const Json& options) {
  Json out{{"preset", name}};
  out.update(options);
  return out;
}

Json without_preset(const Json& model) {
  Json out = model;
  if (out.is_object()) out.erase("preset");
  return out;
}

// The name that "preset" has; ConfigError where it is no text.
std::string read_preset(const Json& model, std::string_view where, const std::string& key) {
  detail::Named<PresetChoice> named{key, {}};
  if (!model.is_object() || !model.contains("preset")) return named.options.preset;
  update_options(named, Json{{key, {{"preset", model["preset"]}}}}, where);
  return named.options.preset;
}

}  // namespace

const std::vector<ModelEntry>& model_registry() {
  static const std::vector<ModelEntry> registry{contractive_entry(), image_entry()};
  return registry;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> out;
  for (const ModelEntry& entry : model_registry()) {
    for (const Preset& preset : entry.presets) out.push_back(preset.name);
  }
  return out;
}

std::vector<std::string> preset_names(std::string_view family) {
  std::vector<std::string> out;
  for (const ModelEntry& entry : model_registry()) {
    if (entry.name != family) continue;
    for (const Preset& preset : entry.presets) out.push_back(preset.name);
  }
  return out;
}

PresetOf find_preset(std::string_view name) {
  for (const ModelEntry& entry : model_registry()) {
    for (const Preset& preset : entry.presets) {
      if (preset.name == name) return {entry, preset};
    }
  }
  const UnknownName unknown = unknown_name(name, preset_names(), "contraflow list models");
  fail<ConfigError>("model", "preset", unknown.expected, c10::str("'", name, "'"), unknown.remedy);
}

Json read_model(const Json& model, std::string_view where, const std::string& key) {
  const auto [entry, preset] = find_preset(read_preset(model, where, key));
  return with_preset(preset.name, entry.update(preset.options, without_preset(model), where, key));
}

std::string preset_of(const Json& model) { return read_preset(model, "model", "model"); }

FlowSpec model_spec(const Json& model, const EventInfo& info) {
  return find_preset(preset_of(model)).entry.spec(without_preset(model), info);
}

std::vector<OptionInfo> describe_model(std::string_view name, const std::string& key) {
  const auto [entry, preset] = find_preset(name);
  std::vector<OptionInfo> out =
      describe_options(detail::Named<PresetChoice>{key, {.preset = preset.name}});
  for (OptionInfo& row : entry.describe(preset.options, key)) out.push_back(std::move(row));
  return out;
}

}  // namespace contraflow::models
