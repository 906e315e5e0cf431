#include "contraflow/models/presets.h"

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::models {
namespace {

ModelOptions residual() {
  ModelOptions o{.preset = "residual", .family = Family::kResidual, .blocks = 16, .actnorm = true};
  o.net = {.kind = NetKind::kSequential,
           .hidden = {128, 128, 128},
           .activation = Activation::kLipSwish,
           .activate_input = true,
           .lipschitz = 0.9};
  return o;
}

ModelOptions idensenet_options() {
  ModelOptions o{.preset = "idensenet", .family = Family::kResidual};
  o.net = {.kind = NetKind::kDense,
           .depth = 3,
           .growth = 16,
           .activation = Activation::kClipSwish,
           .lipschitz = 0.9};
  return o;
}

ModelOptions implicit() {
  ModelOptions o{.preset = "implicit", .family = Family::kImplicit, .blocks = 5};
  o.net = {.kind = NetKind::kSequential,
           .hidden = {128, 128, 128},
           .activation = Activation::kLipSwish,
           .activate_input = true,
           .lipschitz = 0.9};
  return o;
}

ModelOptions monotone() {
  ModelOptions o{.preset = "monotone", .family = Family::kMonotone};
  o.net = {.kind = NetKind::kDense,
           .depth = 3,
           .growth = 16,
           .activation = Activation::kCPila,
           .lipschitz = 0.9};
  return o;
}

struct Preset {
  const char* name;
  const char* summary;
  ModelOptions (*make)();
};

constexpr Preset kPresets[] = {
    {"monotone", "Monotone Flow: 10 dense blocks, CPila (Ahn et al. 2022)", monotone},
    {"residual", "Residual Flow: 16 blocks of LipSwish nets with ActNorm (Chen et al. 2019)",
     residual},
    {"idensenet", "i-DenseNet: 10 dense blocks, CLipSwish (Perugachi-Diaz et al. 2021)",
     idensenet_options},
    {"implicit", "Implicit Flow: residual after inverse residual, 5 pairs (Lu et al. 2021)",
     implicit},
};

const Preset& find(std::string_view name) {
  for (const Preset& p : kPresets) {
    if (name == p.name) return p;
  }
  const std::vector<std::string> names = preset_names();
  const auto nearest = nearest_match(name, names);
  fail<ConfigError>(
      "model", "preset", "one of " + join(names, ", "), c10::str("'", name, "'"),
      nearest ? "Did you mean '" + *nearest + "'?" : "Run 'contraflow list' for what there is.");
}

FlowPtr build(std::string_view name, const Settings& s) {
  ModelOptions o = preset(name);
  if (s.blocks) o.blocks = *s.blocks;
  if (s.lipschitz) o.net.lipschitz = *s.lipschitz;
  if (s.activation) o.net.activation = *s.activation;
  o.seed = s.seed;
  return build_flow(model_spec(o, s.event.size(), s.condition, s.columns), std::string(name));
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> out;
  for (const Preset& p : kPresets) out.emplace_back(p.name);
  return out;
}

std::string preset_summary(std::string_view name) { return find(name).summary; }

ModelOptions preset(std::string_view name) { return find(name).make(); }

ModelOptions from_json(const nlohmann::ordered_json& json, std::string_view where) {
  std::string name = ModelOptions{}.preset;
  if (json.is_object() && json.contains("preset") && json["preset"].is_string())
    name = json["preset"].get<std::string>();
  ModelOptions options = preset(name);
  update_options(options, json, where);
  return options;
}

FlowPtr residual_flow(const Settings& settings) { return build("residual", settings); }
FlowPtr idensenet(const Settings& settings) { return build("idensenet", settings); }
FlowPtr implicit_flow(const Settings& settings) { return build("implicit", settings); }
FlowPtr monotone_flow(const Settings& settings) { return build("monotone", settings); }

}  // namespace contraflow::models
