#include "contraflow/models/presets.h"

#include "contraflow/core/error.h"

namespace contraflow::models {
namespace {

NetOptions sequential_net() {
  return {.kind = NetKind::kSequential,
          .hidden = {128, 128, 128},
          .activation = Activation::kLipSwish,
          .activate_input = true,
          .lipschitz = 0.9};
}

NetOptions dense_net(Activation activation) {
  return {.kind = NetKind::kDense,
          .depth = 3,
          .growth = 16,
          .activation = activation,
          .lipschitz = 0.9};
}

std::vector<Preset> make_presets() {
  return {
      make_preset(
          "monotone", "Monotone Flow: 10 dense blocks, CPila (Ahn et al. 2022)",
          ContractiveOptions{.family = Family::kMonotone, .net = dense_net(Activation::kCPila)}),
      make_preset(
          "residual", "Residual Flow: 16 blocks of LipSwish nets with ActNorm (Chen et al. 2019)",
          ContractiveOptions{
              .family = Family::kResidual, .blocks = 16, .net = sequential_net(), .actnorm = true}),
      make_preset("idensenet",
                  "i-DenseNet: 10 dense blocks, CLipSwish (Perugachi-Diaz et al. 2021)",
                  ContractiveOptions{.family = Family::kResidual,
                                     .net = dense_net(Activation::kClipSwish)}),
      make_preset(
          "implicit", "Implicit Flow: residual after inverse residual, 5 pairs (Lu et al. 2021)",
          ContractiveOptions{.family = Family::kImplicit, .blocks = 5, .net = sequential_net()}),
  };
}

FlowPtr build(const char* name, const Settings& s) {
  ContractiveOptions o = contractive_preset(name);
  if (s.blocks) o.blocks = *s.blocks;
  if (s.lipschitz) o.net.lipschitz = *s.lipschitz;
  if (s.activation) o.net.activation = *s.activation;
  o.seed = s.seed;
  const EventInfo info{
      .event = s.event, .condition = s.condition, .levels = s.levels, .bounds = s.bounds};
  return build_flow(contractive_spec(o, info), name);
}

}  // namespace

ModelEntry contractive_entry() {
  return make_entry<ContractiveOptions>(
      "contractive",
      "blocks of contractive networks, as maps, inverses and Cayley transforms of each other",
      make_presets(), contractive_spec);
}

ContractiveOptions contractive_preset(std::string_view name) {
  const auto [entry, preset] = find_preset(name);
  if (entry.name == "contractive") {
    return options_from_json<ContractiveOptions>(preset.options, "model");
  }
  fail<ConfigError>("model", "preset", "a contractive model",
                    c10::str("'", name, "', of the family ", entry.name),
                    "Read its options with models::read_model().");
}

FlowPtr residual_flow(const Settings& settings) { return build("residual", settings); }
FlowPtr idensenet(const Settings& settings) { return build("idensenet", settings); }
FlowPtr implicit_flow(const Settings& settings) { return build("implicit", settings); }
FlowPtr monotone_flow(const Settings& settings) { return build("monotone", settings); }

}  // namespace contraflow::models
