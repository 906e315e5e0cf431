#include "contraflow/models/model_registry.h"

#include <set>

#include "contraflow/models/image_flow.h"
#include "contraflow/models/presets.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/tensors.h"

namespace contraflow::models {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::error_of;
using ::testing::HasSubstr;

TEST(ModelRegistry, PresetsNameTheirEntry) {
  std::set<std::string> names;
  for (const ModelEntry& entry : model_registry()) {
    EXPECT_FALSE(entry.summary.empty());
    EXPECT_FALSE(entry.presets.empty()) << entry.name;
    for (const Preset& preset : entry.presets) {
      EXPECT_TRUE(names.insert(preset.name).second) << preset.name;
      EXPECT_EQ(find_preset(preset.name).entry.name, entry.name);
    }
  }
  EXPECT_THAT(preset_names("contractive"),
              ElementsAre("monotone", "residual", "idensenet", "implicit"));
  EXPECT_EQ(preset_names().size(), names.size());
  EXPECT_EQ(find_preset(kDefaultPreset).preset.name, "monotone");
  EXPECT_THAT(error_of<ConfigError>([] { find_preset("monoton"); }),
              AllOf(HasSubstr("[model] preset: expected one of " + std::to_string(names.size()) +
                              " names, got 'monoton'"),
                    HasSubstr("Did you mean 'monotone'? 'contraflow list models' shows them")));
}

// The settings that all users of contractive blocks have mean and default to the same.
TEST(ModelRegistry, SettingsOfBlocksAreTheSameForAll) {
  const auto rows_of = [](const std::vector<OptionInfo>& all, const std::string& first) {
    std::vector<std::string> out;
    for (const OptionInfo& row : all) {
      if (out.empty() && row.path != first) continue;
      out.push_back(row.path + " " + row.default_value + " " + row.range + " " + row.help);
    }
    return out;
  };
  const std::vector<OptionInfo> rows = describe_options<ContractiveOptions>(),
                                images = describe_options<ImageOptions>();
  EXPECT_THAT(rows_of(rows, "train_log_det"), ElementsAreArray(rows_of(images, "train_log_det")));
  EXPECT_GT(rows_of(rows, "train_log_det").size(), 20U);
  std::vector<std::string> solves = rows_of(rows, "solver.method");
  ASSERT_FALSE(solves.empty());
  solves.erase(solves.end() - 2);  // base
  EXPECT_THAT(rows_of(describe_options<ContractiveBlockOptions>(), "solver.method"),
              ElementsAreArray(solves));
}

TEST(ModelRegistry, AModelIsItsPresetAndWhatChanges) {
  const Json model =
      read_model({{"preset", "residual"}, {"blocks", 4}, {"net", {{"lipschitz", 0.5}}}}, "test");
  EXPECT_EQ(model.begin().key(), "preset") << "as a config file has it";
  EXPECT_EQ(model["preset"], "residual");
  EXPECT_EQ(model["blocks"], 4);
  EXPECT_EQ(model["actnorm"], true);  // of the preset
  EXPECT_EQ(model["net"]["lipschitz"], 0.5);
  EXPECT_EQ(model["net"]["activation"], "lipswish");
  EXPECT_EQ(read_model(model, "test"), model) << "complete: reading it again changes nothing";
  EXPECT_EQ(preset_of(model), "residual");
  EXPECT_EQ(preset_of(read_model(Json::object(), "test")), "monotone");
}

// The paths of messages start at the config's root.
TEST(ModelRegistry, MistakesSayWhere) {
  const auto text = [](const Json& model) {
    return error_of<ConfigError>([&] { read_model(model, "c.toml"); });
  };
  EXPECT_THAT(text({{"blocsk", 4}}),
              AllOf(HasSubstr("[c.toml] model.blocsk"), HasSubstr("Did you mean 'blocks'?")));
  EXPECT_THAT(text({{"net", {{"lipschitz", 2.0}}}}), HasSubstr("[c.toml] model.net.lipschitz"));
  EXPECT_THAT(text({{"preset", 3}}), HasSubstr("[c.toml] model.preset: expected text"));
  EXPECT_THAT(text({{"preset", "monoton"}}), HasSubstr("Did you mean 'monotone'?"));
  EXPECT_THAT(text(Json(3)), HasSubstr("[c.toml] model: expected a table"));
}

TEST(ModelRegistry, SpecsAreThoseOfTheTypedOptions) {
  const EventInfo info{.event = 3, .condition = 2, .levels = 17};
  for (const std::string& name : preset_names("contractive")) {
    ContractiveOptions typed = contractive_preset(name);
    typed.blocks = 2;
    const Json model = read_model({{"preset", name}, {"blocks", 2}}, "test");
    const FlowSpec spec = model_spec(model, info);
    EXPECT_EQ(options_to_json(spec), options_to_json(contractive_spec(typed, info)));
    EXPECT_EQ(build_flow(spec)->event_shape(), std::vector<int64_t>{3});
  }
}

TEST(ModelRegistry, EveryKeyIsDescribed) {
  const std::vector<OptionInfo> rows = describe_model("residual");
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(rows.front().path, "model.preset");
  EXPECT_EQ(rows.front().default_value, "residual");
  std::set<std::string> paths;
  for (const OptionInfo& row : rows) paths.insert(row.path);
  const Json model = read_model({{"preset", "residual"}}, "test");
  for (const auto& [key, value] : model.items()) {
    const std::string path = "model." + key;
    const auto found = paths.lower_bound(path);  // the key, or a key of a table below it
    EXPECT_TRUE(found != paths.end() && found->starts_with(path)) << path;
  }
}

TEST(ModelRegistry, NamedFlowsTakeWhatDataSay) {
  const FlowPtr flow = residual_flow({.event = 2, .condition = 3, .blocks = 1, .levels = 5});
  EXPECT_EQ(flow->event_shape(), std::vector<int64_t>{2});
  EXPECT_EQ(flow->condition_shape(), std::vector<int64_t>{3});
}

}  // namespace
}  // namespace contraflow::models
