// The presets have the authors' architectures: every parameter is counted.
#include <map>
#include <nlohmann/json.hpp>

#include "contraflow/models/image_flow.h"
#include "contraflow/transforms/contractive_map.h"
#include "contraflow/transforms/registry.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using models::image_preset;

const EventShape kMnist{1, 28, 28}, kSmall{3, 32, 32}, kMiddle{3, 64, 64}, kLarge{3, 256, 256};

// The leaves of a spec.
void collect(const Json& spec, std::vector<Json>& to) {
  for (const char* list : {"transforms", "scales", "priors"}) {
    if (!spec.contains(list)) continue;
    for (const Json& member : spec[list]) collect(member, to);
  }
  if (!spec.contains("transforms") && !spec.contains("scales")) to.push_back(spec);
}

struct Count {
  int64_t parameters = 0;
  int64_t blocks = 0;
};

// Leaves that differ in their seed alone are built once, for real, and counted as often as they are
// there: a flow of 137 million numbers has some ten kinds of them.
Count count(const ImageOptions& options, const EventShape& event) {
  static std::map<std::string, int64_t> known;
  Count out;
  std::vector<Json> leaves;
  collect(image_spec(options, {.event = event, .levels = 256}).transform, leaves);
  for (Json& leaf : leaves) {
    if (leaf["type"] == "contractive_block") {
      leaf["seed"] = 0;
      ++out.blocks;
    }
    auto [found, is_new] = known.try_emplace(leaf.dump(), 0);
    if (is_new) found->second = parameter_count(*make_transform(leaf));
    out.parameters += found->second;
  }
  return out;
}

int64_t parameters(const std::string& preset, const EventShape& event) {
  return count(image_preset(preset), event).parameters;
}

// The authors' code of Residual Flows registers two scalars a block that are not of the model: the
// parameter of its geometric law and the rate of its Poisson law. Its published counts hold them.
int64_t with_bookkeeping(const ImageOptions& options, const EventShape& event) {
  const Count own = count(options, event);
  return own.parameters + 2 * own.blocks;
}

int64_t without_fc(const std::string& preset, const EventShape& event) {
  ImageOptions options = image_preset(preset);
  options.fc_blocks = 0;
  return with_bookkeeping(options, event);
}

int64_t with_bookkeeping(const std::string& preset, const EventShape& event) {
  return with_bookkeeping(image_preset(preset), event);
}

TEST(ImagePresets, ResidualFlowsHaveThePublishedParameters) {
  EXPECT_EQ(with_bookkeeping("residual_mnist", kMnist), 16'608'693);
  EXPECT_EQ(with_bookkeeping("residual_cifar10", kSmall), 25'174'233);
  EXPECT_EQ(with_bookkeeping("residual_imagenet32", kSmall), 47'099'289);
  EXPECT_EQ(with_bookkeeping("residual_imagenet64", kMiddle), 53'294'475);
  EXPECT_EQ(with_bookkeeping("residual_444_cifar10", kSmall), 8'730'441);
}

TEST(ImagePresets, FullyConnectedBlocksAreAnOption) {
  EXPECT_EQ(without_fc("residual_mnist", kMnist), 15'729'889);
  EXPECT_EQ(without_fc("residual_cifar10", kSmall), 21'925'061);
  EXPECT_EQ(without_fc("residual_imagenet32", kSmall), 43'850'117);
  EXPECT_EQ(without_fc("residual_imagenet64", kMiddle), 50'045'303);
  EXPECT_EQ(without_fc("residual_444_cifar10", kSmall), 5'481'269);
}

TEST(ImagePresets, FacesHaveThePublishedParameters) {
  EXPECT_EQ(with_bookkeeping("residual_celeba64", kMiddle), 43'393'815);
  EXPECT_EQ(with_bookkeeping("residual_celebahq256", kLarge), 136'777'368);
}

TEST(ImagePresets, MonotoneFlowsHaveThePublishedParameters) {
  EXPECT_EQ(parameters("monotone_mnist", kMnist), 20'872'826);
  EXPECT_EQ(parameters("monotone_cifar10", kSmall), 24'894'430);
  EXPECT_EQ(parameters("monotone_imagenet32", kSmall), 46'980'574);
  EXPECT_EQ(parameters("monotone_imagenet64", kMiddle), 48'907'888);
}

TEST(ImagePresets, DenseAndImplicitFlowsHaveThePublishedParameters) {
  EXPECT_EQ(parameters("idensenet_cifar10", kSmall), 24'894'586);
  EXPECT_EQ(parameters("idensenet_444_depth2_cifar10", kSmall), 9'164'962);
  EXPECT_EQ(parameters("idensenet_444_depth3_cifar10", kSmall), 8'695'126);
  EXPECT_EQ(parameters("idensenet_444_depth4_cifar10", kSmall), 8'320'738);
  EXPECT_EQ(parameters("idensenet_444_depth5_cifar10", kSmall), 8'029'942);
  EXPECT_EQ(parameters("implicit_cifar10", kSmall), 5'480'992);
}

// The trunks that classify: growth 80, no fully connected blocks.
TEST(ImagePresets, ClassifierTrunksHaveThePublishedParameters) {
  for (const auto& [blocks, expected] :
       {std::pair{1, 345'390}, std::pair{4, 1'381'542}, std::pair{16, 5'526'150}}) {
    ImageOptions o = image_preset("monotone_cifar10");
    o.blocks.assign(3, blocks);
    o.net.growth = 80;
    o.fc_blocks = 0;
    EXPECT_EQ(count(o, kSmall).parameters, expected) << blocks;
  }
}

// Every preset is a flow of its events: its spec is accepted, and names nothing that is not there.
TEST(ImagePresets, SpecsOfAllPresetsAreAccepted) {
  for (const std::string& name : models::preset_names("image")) {
    SCOPED_TRACE(name);
    const bool large = name.ends_with("256"), middle = name.ends_with("64");
    const EventShape event = large                     ? kLarge
                             : middle                  ? kMiddle
                             : name.ends_with("mnist") ? kMnist
                                                       : kSmall;
    const ImageOptions options = image_preset(name);
    const FlowSpec spec =
        image_spec(options, {.event = name.starts_with("image_") ? kMnist : event, .levels = 256});
    EXPECT_NO_THROW(resolve_flow_spec(spec));
  }
}

// The whole flow, not only its parts, where it is small.
TEST(ImagePresets, ABuiltFlowHasTheParametersOfItsParts) {
  for (const char* name : {"image_small", "image_small_monotone"}) {
    const ImageOptions options = image_preset(name);
    const FlowPtr flow = build_flow(image_spec(options, {.event = kMnist, .levels = 256}));
    EXPECT_EQ(parameter_count(*flow), count(options, kMnist).parameters);
    for (const Member& leaf : leaves_of(flow->transform())) {
      const ContractiveMap* map = leaf.transform->contractive();
      if (map != nullptr) {
        EXPECT_TRUE(map->net()->proven()) << leaf.name;
      }
    }
  }
}

}  // namespace
}  // namespace contraflow
