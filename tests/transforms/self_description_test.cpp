// What a composite says of itself is the worst of what is inside it, however deep.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contraflow/transforms/contractive_map.h"
#include "contraflow/transforms/registry.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

// A block with that estimator inside an inverse inside a chain inside a chain.
Json nested(const char* eval_log_det) {
  const Json block{{"type", "contractive_block"},
                   {"event", 3},
                   {"net", {{"depth", 1}, {"growth", 4}}},
                   {"train_log_det", "exact"},
                   {"eval_log_det", eval_log_det}};
  const Json turned{{"type", "inverse"}, {"transform", block}};
  const Json inner{{"type", "chain"},
                   {"transforms", {{{"type", "actnorm"}, {"event", 3}}, turned}}};
  return {{"type", "chain"}, {"transforms", {inner, {{"type", "scale"}, {"event", 3}}}}};
}

TEST(SelfDescription, RandomnessComesFromAnyDepth) {
  EXPECT_EQ(make_transform(nested("exact"))->randomness(Phase::kEvaluate), Randomness::kNone);
  EXPECT_EQ(make_transform(nested("roulette"))->randomness(Phase::kEvaluate),
            Randomness::kUnbiased);
  EXPECT_EQ(make_transform(nested("truncated"))->randomness(Phase::kEvaluate), Randomness::kBiased);
  EXPECT_EQ(make_transform(nested("roulette"))->randomness(Phase::kTrain), Randomness::kNone);
  const Json pixels{{"type", "chain"},
                    {"transforms",
                     {{{"type", "inverse"}, {"transform", {{"type", "scale"}, {"event", 2}}}},
                      {{"type", "dequantize"}, {"event", 2}}}}};
  EXPECT_EQ(make_transform(pixels)->randomness(Phase::kEvaluate), Randomness::kUnbiased);
  EXPECT_FALSE(make_transform(pixels)->bijective());
  EXPECT_TRUE(make_transform(nested("exact"))->bijective());
}

TEST(SelfDescription, WarningsComeFromAnyDepth) {
  Json spec = nested("exact");
  Json& block = spec["transforms"][0]["transforms"][1]["transform"];
  block["train_log_det"] = {{"kind", "roulette"}, {"law", "poisson"}};
  const TransformPtr transform = make_transform(spec);
  EXPECT_EQ(transform->warnings(Phase::kTrain).size(), 1);
  EXPECT_TRUE(transform->warnings(Phase::kEvaluate).empty());
}

TEST(SelfDescription, LeavesHaveTheNamesOfTheirParameters) {
  const TransformPtr transform = make_transform(nested("exact"));
  std::vector<std::string> names;
  for (const Member& leaf : leaves_of(transform)) {
    names.push_back(leaf.name);
    for (const auto& item : leaf.transform->named_parameters())
      EXPECT_TRUE(transform->named_parameters().contains(leaf.name + "." + item.key()));
  }
  EXPECT_THAT(names, ElementsAre("0.0", "0.1.inner", "1"));
}

TEST(SelfDescription, ContractiveMapsAreFoundInside) {
  const TransformPtr transform = make_transform(nested("exact"));
  int64_t found = 0;
  for (const Member& leaf : leaves_of(transform)) {
    if (const ContractiveMap* map = leaf.transform->contractive()) {
      ++found;
      EXPECT_EQ(map->form_name(), "residual");
      EXPECT_TRUE(map->net()->proven());
    }
  }
  EXPECT_EQ(found, 1);
}

TEST(SelfDescription, SpecsChangeAtAnyDepth) {
  Json spec = make_transform(nested("exact"))->spec();
  const int64_t changed = change_leaves(spec, [](const TransformEntry&, Json& options) {
    if (!options.contains("eval_log_det")) return false;
    options["eval_log_det"] = "roulette";
    return true;
  });
  EXPECT_EQ(changed, 1);
  EXPECT_EQ(make_transform(spec)->randomness(Phase::kEvaluate), Randomness::kUnbiased);
}

TEST(SelfDescription, WhatHasNoOptionsSaysSo) {
  class Nameless final : public Transform {
   public:
    std::vector<int64_t> event_shape() const override { return {1}; }

   private:
    TransformOutput do_forward(const at::Tensor& x, const Context&) const override {
      return {x, {}, {}, {}};
    }
    TransformOutput do_inverse(const at::Tensor& z, const Context&) const override {
      return {z, {}, {}, {}};
    }
  };
  EXPECT_THAT(error_of<ConfigError>([] { Nameless().spec(); }), HasSubstr("override spec()"));
}

}  // namespace
}  // namespace contraflow
