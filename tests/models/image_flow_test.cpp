// The chain of Residual Flows on images: shapes, order, first block, exact densities.
#include "contraflow/models/image_flow.h"

#include <torch/csrc/autograd/autograd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "contraflow/transforms/contractive_map.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::AllOf;
using testing::batch_jacobian;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

ImageOptions small_options() {
  ImageOptions o{.blocks = {1, 2}, .net = convolutional_net(6)};
  o.train_tolerance = o.tolerance = o.backward_tolerance = 1e-12;
  o.net.norm_tolerance = 1e-10;
  o.net.init_gain = 2.0;
  return o;
}

// "type shape" of each leaf, in order; blocks with kernels are conv, the others fc.
std::vector<std::string> walk(const Json& spec) {
  std::vector<std::string> out;
  const auto visit = [&](const auto& self, const Json& t) -> void {
    for (const char* list : {"transforms", "scales"}) {
      if (!t.contains(list)) continue;
      for (const Json& member : t[list]) self(self, member);
      return;
    }
    std::string name = t["type"];
    if (name == "contractive_block") {
      name = t["net"]["kernels"].empty() ? "fc" : "conv";
      if (t["net"]["activate_input"]) name = "act-" + name;
    }
    if (t.value("each_number", false)) name += "-number";
    out.push_back(name + " " + t["event"].dump());
  };
  visit(visit, spec);
  return out;
}

FlowSpec spec_of_images(const ImageOptions& o, const EventShape& event, int64_t levels = 256) {
  return image_spec(o, {.event = event, .levels = levels});
}

TEST(ImageFlow, TransformsStandInTheOrderOfThePaper) {
  ImageOptions o = small_options();
  o.fc_blocks = 1;
  o.fc_net = {.kind = NetKind::kSequential, .hidden = {4, 4}, .activate_input = true};
  EXPECT_THAT(walk(spec_of_images(o, {1, 4, 4}).transform),
              ElementsAre("dequantize [1,4,4]", "logit [1,4,4]", "actnorm [1,4,4]", "conv [1,4,4]",
                          "actnorm [1,4,4]", "squeeze [1,4,4]", "act-conv [4,2,2]",
                          "actnorm [4,2,2]", "act-conv [4,2,2]", "actnorm [4,2,2]",
                          "act-fc [4,2,2]", "actnorm-number [4,2,2]"));
}

TEST(ImageFlow, SqueezeFirstAndFactoringOutChangeTheShapes) {
  ImageOptions o = small_options();
  o.blocks = {1, 1, 1};
  o.squeeze_first = o.factor_out = true;
  const FlowSpec spec = spec_of_images(o, {3, 8, 16});
  EXPECT_THAT(
      walk(spec.transform),
      ElementsAre("dequantize [3,8,16]", "logit [3,8,16]", "squeeze [3,8,16]", "actnorm [12,4,8]",
                  "conv [12,4,8]", "actnorm [12,4,8]", "squeeze [12,4,8]", "act-conv [24,2,4]",
                  "actnorm [24,2,4]", "squeeze [24,2,4]", "act-conv [48,1,2]", "actnorm [48,1,2]"));
  EXPECT_EQ(spec.base["event"], 3 * 8 * 16) << "the latent is a row";
  EXPECT_EQ(build_flow(spec)->event_shape(), (std::vector<int64_t>{3, 8, 16}));
}

TEST(ImageFlow, TheFirstBlockOfAnImplicitFlowHasTwoNetsWithoutLeadingActivation) {
  ImageOptions o = small_options();
  o.family = Family::kImplicit;
  o.blocks = {2};
  EXPECT_THAT(walk(spec_of_images(o, {1, 4, 4}).transform),
              ElementsAre("dequantize [1,4,4]", "logit [1,4,4]", "actnorm [1,4,4]", "conv [1,4,4]",
                          "conv [1,4,4]", "actnorm [1,4,4]", "act-conv [1,4,4]", "act-conv [1,4,4]",
                          "actnorm [1,4,4]"));
}

TEST(ImageFlow, NetworksStartFromSeedsOfTheirOwn) {
  std::set<int64_t> seeds;
  ImageOptions o = small_options();
  const auto collect = [&] {
    const FlowPtr flow = build_flow(spec_of_images(o, {1, 4, 4}));
    for (const Member& leaf : leaves_of(flow->transform())) {
      if (leaf.transform->contractive() != nullptr)
        seeds.insert(leaf.transform->spec()["seed"].get<int64_t>());
    }
  };
  collect();
  EXPECT_EQ(seeds.size(), 3U);
  o.seed = 1;
  collect();
  EXPECT_EQ(seeds.size(), 6U);
}

TEST(ImageFlow, EstimatorsFollowTheNumberOfPixels) {
  const auto kinds = [](const EventShape& event) {
    const FlowPtr flow = build_flow(spec_of_images(small_options(), event));
    for (const Member& leaf : leaves_of(flow->transform())) {
      const ContractiveMap* map = leaf.transform->contractive();
      if (map == nullptr) continue;
      return std::vector{map->log_det(Phase::kTrain).index(),
                         map->log_det(Phase::kEvaluate).index()};
    }
    return std::vector<size_t>{};
  };
  EXPECT_THAT(kinds({1, 4, 4}), ElementsAre(0, 0));
  EXPECT_THAT(kinds({1, 8, 8}), ElementsAre(2, 0));
  EXPECT_THAT(kinds({3, 8, 8}), ElementsAre(2, 2));
}

TEST(ImageFlow, EventsThatDoNotFitAreNamed) {
  const auto text = [](const ImageOptions& o, const EventInfo& info) {
    return error_of<ConfigError>([&] { image_spec(o, info); });
  };
  EXPECT_THAT(text(small_options(), {.event = 64}),
              AllOf(HasSubstr("[model] event: expected images [channels, height, width], got rows "
                              "of 64 columns"),
                    HasSubstr("data.flatten = false")));
  EXPECT_THAT(text(small_options(), {.event = {8, 8}}), HasSubstr("got events of shape [8, 8]"));
  ImageOptions three = small_options();
  three.blocks = {1, 1, 1};
  EXPECT_THAT(text(three, {.event = {1, 28, 30}}),
              AllOf(HasSubstr("[model] blocks: expected sides that can be halved 2 times"),
                    HasSubstr("got 28 x 30 pixels, which can be halved 1 times"),
                    HasSubstr("Give at most 2 scales")));
  three.squeeze_first = true;
  EXPECT_THAT(text(three, {.event = {1, 28, 28}}),
              AllOf(HasSubstr("halved 3 times"), HasSubstr("and for squeeze_first"),
                    HasSubstr("Give at most 2 scales")));
  three.blocks = {1};
  EXPECT_THAT(text(three, {.event = {1, 7, 7}}), HasSubstr("Set model.squeeze_first = false"));
  ImageOptions prior = small_options();
  prior.split_prior = true;
  EXPECT_THAT(text(prior, {.event = {1, 4, 4}}),
              HasSubstr("[model] split_prior: expected a model with factor_out"));
  EXPECT_THAT(error_of<ConfigError>([] {
                models::read_model({{"preset", "image_small"}, {"blocks", Json::array()}}, "c");
              }),
              HasSubstr("model.blocks"));
}

TEST(ImageFlow, RowModelsNameAnImageModel) {
  EXPECT_THAT(error_of<ConfigError>([] {
                contractive_spec(models::contractive_preset("monotone"), {.event = {1, 4, 4}});
              }),
              AllOf(HasSubstr("for events of shape [1, 4, 4]"), HasSubstr("data.flatten = true"),
                    HasSubstr("image_small")));
  EXPECT_THAT(error_of<ConfigError>([] { models::contractive_preset("image_small"); }),
              HasSubstr("of the family image"));
  EXPECT_THAT(error_of<ConfigError>([] { models::image_preset("monotone"); }),
              HasSubstr("of the family contractive"));
}

struct Case {
  const char* name;
  Family family;
  bool squeeze_first, factor_out, split_prior;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class ImageDensity : public ::testing::TestWithParam<Case> {
 protected:
  ImageDensity() {
    ImageOptions o = small_options();
    o.family = GetParam().family;
    o.squeeze_first = GetParam().squeeze_first;
    o.factor_out = GetParam().factor_out;
    o.split_prior = GetParam().split_prior;
    o.fc_blocks = 1;
    o.fc_net = {.kind = NetKind::kSequential,
                .hidden = {5},
                .activation = Activation::kLipSwish,
                .activate_input = true};
    o.train_log_det = o.eval_log_det = ExactLogDet{};
    flow_ = build_flow(image_spec(o, {.event = kEvent}));
    flow_->to(at::kDouble);
    flow_->prepare(Rng(1).normal({70, 1, 4, 8}, at::kDouble) * 2.0 - 1.0);
    x_ = Rng(2).normal({4, 1, 4, 8}, at::kDouble);
  }

  inline static const EventShape kEvent{1, 4, 8};
  FlowPtr flow_;
  at::Tensor x_;
};

TEST_P(ImageDensity, LogProbIsThatOfTheJacobianAndTheInverseUndoesIt) {
  const auto latent = [&](const at::Tensor& x) { return flow_->transform()->forward(x).value; };
  const at::Tensor z = latent(x_).detach();
  EXPECT_EQ(z.dim(), 2);
  const at::Tensor expected =
      flow_->base()->log_prob(z) + std::get<1>(at::linalg_slogdet(batch_jacobian(latent, x_)));
  EXPECT_TRUE(near(flow_->log_prob(x_), expected, 1e-9));
  EXPECT_TRUE(near(flow_->transform()->inverse(z).value, x_, 1e-9));
  const SampleWithLogProb drawn = flow_->sample_and_log_prob(3, {.rng = Rng(4)});
  EXPECT_TRUE(near(flow_->log_prob(drawn.sample), drawn.log_prob, 1e-8));
}

INSTANTIATE_TEST_SUITE_P(, ImageDensity,
                         ::testing::Values(Case{"residual", Family::kResidual, false, false, false},
                                           Case{"monotone", Family::kMonotone, false, true, false},
                                           Case{"prior", Family::kResidual, false, true, true},
                                           Case{"implicit", Family::kImplicit, true, true, true}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ImageFlow, SmallPresetsTrainOnDigits) {
  for (const char* name : {"image_small", "image_small_monotone"}) {
    const FlowPtr flow =
        build_flow(image_spec(models::image_preset(name), {.event = {1, 8, 8}, .levels = 17}));
    const at::Tensor x = (Rng(5).uniform({16, 1, 8, 8}, at::kFloat) * 17).floor();
    flow->prepare(x);
    const Context context{.rng = Rng(6), .phase = Phase::kTrain};
    const at::Tensor log_prob = flow->log_prob(x, context);
    EXPECT_TRUE(at::isfinite(log_prob).all().item<bool>());
    const auto gradients =
        torch::autograd::grad({log_prob.mean()}, flow->parameters(), {}, std::nullopt, false, true);
    for (const at::Tensor& gradient : gradients) {
      ASSERT_TRUE(gradient.defined()) << name;
      EXPECT_TRUE(at::isfinite(gradient).all().item<bool>());
    }
    const at::Tensor sample = flow->sample(2);
    EXPECT_TRUE(at::equal(sample, sample.round()));
  }
}

}  // namespace
}  // namespace contraflow
