#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contraflow/core/event_info.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/distributions/flow_spec.h"

namespace contraflow::models {

using Json = nlohmann::ordered_json;

/// Settings with a name, for example those of one row of a paper's table.
struct Preset {
  std::string name;     ///< Value of "preset"; no two entries share one.
  std::string summary;  ///< One line for lists and docs, with the source.
  /// Every option of the entry.
  Json options = {};
};

/// A family of models: how options become the spec of a flow for given events.
struct ModelEntry {
  std::string name;
  std::string summary;  ///< One line for lists and docs.
  /// At least one.
  std::vector<Preset> presets;
  /// `options` overlaid with `changes`. ConfigError: an unknown key, a value out of range; `key`
  /// begins the dotted path.
  std::function<Json(const Json& options, const Json& changes, std::string_view where,
                     const std::string& key)>
      update;
  /// What each option means; the defaults are `options`.
  std::function<std::vector<OptionInfo>(const Json& options, const std::string& key)> describe;
  std::function<FlowSpec(const Json& options, const EventInfo& info)> spec;
};

/// Every family there is, in the order of the docs.
CF_EXPORT const std::vector<ModelEntry>& model_registry();

/// A preset and the entry that it belongs to.
struct PresetOf {
  const ModelEntry& entry;
  const Preset& preset;
};

/// ConfigError with the nearest match for an unknown name.
CF_EXPORT PresetOf find_preset(std::string_view name);

/// Names for `preset`, in the order of the docs.
CF_EXPORT std::vector<std::string> preset_names();
/// Those of one family, the entry's name.
CF_EXPORT std::vector<std::string> preset_names(std::string_view family);

/// The preset of a model that names none.
inline constexpr const char* kDefaultPreset = "monotone";

/// The [model] part of a config, complete: the preset that its key "preset" names, overlaid with the
/// other keys. Later defaults do not change it. ConfigError names the dotted path from `key` on.
///
/// Example    const Json model = read_model({{"preset", "residual"}, {"blocks", 4}}, "config.toml");
CF_EXPORT Json read_model(const Json& model, std::string_view where,
                          const std::string& key = "model");

/// The name of the preset of a complete model.
CF_EXPORT std::string preset_of(const Json& model);

/// The transforms and base of a complete model for events like `info`: everything the choice depends
/// on is written out in the spec. ConfigError where the model does not exist for them.
CF_EXPORT FlowSpec model_spec(const Json& model, const EventInfo& info);

/// Every key that a model of this preset may hold, "preset" included.
CF_EXPORT std::vector<OptionInfo> describe_model(std::string_view preset = kDefaultPreset,
                                                 const std::string& key = "model");

namespace detail {

/// Options under a name, so that messages and help have the path from there.
template <class T>
struct Named {
  std::string key;
  T options;
};

template <class T, class Field>
void visit(Named<T>& o, Field&& field) {
  field(o.key, o.options);
}

}  // namespace detail

/// A preset of typed options.
template <class Options>
Preset make_preset(std::string name, std::string summary, const Options& options) {
  return {std::move(name), std::move(summary), options_to_json(options)};
}

/// The one line that adds a family: its options have a field list.
template <class Options>
ModelEntry make_entry(std::string name, std::string summary, std::vector<Preset> presets,
                      FlowSpec (*spec)(const Options& options, const EventInfo& info)) {
  const auto typed = [](const Json& options) {
    return options_from_json<Options>(options, "model");
  };
  ModelEntry out{.name = std::move(name),
                 .summary = std::move(summary),
                 .presets = std::move(presets),
                 .update = {},
                 .describe = {},
                 .spec = {}};
  out.update = [typed](const Json& options, const Json& changes, std::string_view where,
                       const std::string& key) {
    detail::Named<Options> named{key, typed(options)};
    update_options(named, Json{{key, changes}}, where);
    return options_to_json(named.options);
  };
  out.describe = [typed](const Json& options, const std::string& key) {
    return describe_options(detail::Named<Options>{key, typed(options)});
  };
  out.spec = [typed, spec](const Json& options, const EventInfo& info) {
    return spec(typed(options), info);
  };
  return out;
}

}  // namespace contraflow::models
