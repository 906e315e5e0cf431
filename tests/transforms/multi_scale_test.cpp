#include "contraflow/transforms/multi_scale.h"

#include <cmath>
#include <limits>
#include <set>

#include "contraflow/core/event_shape.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/registry.h"
#include "contraflow/transforms/squeeze.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::near;

TransformPtr squeeze(const EventShape& event) {
  return std::make_shared<Squeeze>(SqueezeOptions{.event = event});
}

TransformPtr actnorm(const EventShape& event) {
  return std::make_shared<ActNorm>(ActNormOptions{.event = event});
}

// z = slope x + condition, with a certified error of its own: what a prior or a scale may do.
class Shift final : public Transform {
 public:
  Shift(EventShape event, EventShape condition, double slope, double error = 0.0)
      : event_(std::move(event)), condition_(std::move(condition)), slope_(slope), error_(error) {}
  std::vector<int64_t> event_shape() const override { return event_.sizes(); }
  std::vector<int64_t> condition_shape() const override { return condition_.sizes(); }
  std::optional<double> forward_lipschitz() const override { return slope_; }
  std::optional<double> inverse_lipschitz() const override { return 1.0 / slope_; }
  bool prepare_needs_data() const override { return rows_ == 0; }
  int64_t rows() const { return rows_; }

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override {
    return out(x * slope_ + added(x, context), 1.0);
  }
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override {
    return out((z - added(z, context)) / slope_, -1.0);
  }
  void do_prepare(const at::Tensor& x, const Context& /*context*/) override {
    if (rows_ == 0) rows_ = x.size(0);
  }
  TransformOutput out(const at::Tensor& value, double sign) const {
    const auto size = static_cast<double>(event_.size());
    const auto all = [&](double v) { return at::full({value.size(0)}, v, value.options()); };
    return {
        value, all(sign * size * std::log(slope_)), {}, error_ > 0 ? all(error_) : at::Tensor()};
  }
  static at::Tensor added(const at::Tensor& x, const Context& context) {
    return context.condition.defined() ? context.condition : at::zeros_like(x);
  }

  EventShape event_, condition_;
  double slope_, error_;
  int64_t rows_ = 0;
};

TransformPtr shift(const EventShape& event, double slope, double error = 0.0,
                   const EventShape& condition = {}) {
  return std::make_shared<Shift>(event, condition, slope, error);
}

// [2, 4, 4] -> [8, 2, 2], of which [4, 2, 2] stay -> [16, 1, 1], of which [8, 1, 1] stay.
MultiScale three_scales() {
  return {{squeeze({2, 4, 4}), squeeze({4, 2, 2}), shift({8, 1, 1}, 3.0)}, /*factor_out=*/true};
}

at::Tensor images(int64_t rows, const std::vector<int64_t>& event = {2, 4, 4}) {
  std::vector<int64_t> shape = event;
  shape.insert(shape.begin(), rows);
  return Rng(1).normal(shape, at::kDouble);
}

TEST(MultiScale, TheSecondHalfOfTheChannelsLeavesAtEachScale) {
  const MultiScale map = three_scales();
  EXPECT_THAT(map.latent_shape(), ElementsAre(32));
  EXPECT_THAT(map.part_sizes(), ElementsAre(16, 8, 8));
  const at::Tensor x = images(3);
  const TransformOutput out = map.forward(x);
  // Channel 4 c + 2 i + j of the squeezed image is pixel (i, j) of each square of channel c.
  const at::Tensor first = Squeeze({.event = {2, 4, 4}}).forward(x).value;
  const at::Tensor second = Squeeze({.event = {4, 2, 2}}).forward(first.narrow(1, 0, 4)).value;
  EXPECT_TRUE(at::equal(out.value.narrow(1, 0, 16), first.narrow(1, 4, 4).flatten(1)));
  EXPECT_TRUE(at::equal(out.value.narrow(1, 16, 8), second.narrow(1, 8, 8).flatten(1)));
  EXPECT_TRUE(at::equal(out.value.narrow(1, 24, 8), 3.0 * second.narrow(1, 0, 8).flatten(1)));
  EXPECT_TRUE(near(out.log_det, at::full({3}, 8 * std::log(3.0), at::kDouble), kRounding));
  const TransformOutput back = map.inverse(out.value);
  EXPECT_TRUE(near(back.value, x, kRounding));
  EXPECT_TRUE(near(back.log_det, -out.log_det, kRounding));
}

TEST(MultiScale, WithoutFactoringOutEverythingPassesAllScales) {
  const MultiScale map({squeeze({2, 4, 4}), squeeze({8, 2, 2}), shift({32, 1, 1}, 2.0)},
                       /*factor_out=*/false);
  EXPECT_THAT(map.latent_shape(), ElementsAre(32));
  EXPECT_THAT(map.part_sizes(), ElementsAre(32));
  const at::Tensor x = images(3);
  const at::Tensor z = map.forward(x).value;
  const at::Tensor squeezed =
      Squeeze({.event = {8, 2, 2}}).forward(Squeeze({.event = {2, 4, 4}}).forward(x).value).value;
  EXPECT_TRUE(at::equal(z, 2.0 * squeezed.flatten(1)));
  EXPECT_TRUE(at::equal(map.inverse(z).value, x));
}

TEST(MultiScale, APriorSeesWhatStays) {
  const EventShape half{4, 2, 2};
  const MultiScale map({squeeze({2, 4, 4}), shift(half, 3.0)}, true, {shift(half, 2.0, 0.0, half)});
  EXPECT_TRUE(map.condition_shape().empty()) << "what stays is not the caller's condition";
  const at::Tensor x = images(3);
  const at::Tensor squeezed = Squeeze({.event = {2, 4, 4}}).forward(x).value;
  const at::Tensor stays = squeezed.narrow(1, 0, 4), leaves = squeezed.narrow(1, 4, 4);
  const TransformOutput out = map.forward(x);
  EXPECT_TRUE(near(out.value.narrow(1, 0, 16), (2.0 * leaves + stays).flatten(1), kRounding));
  EXPECT_TRUE(near(out.value.narrow(1, 16, 16), (3.0 * stays).flatten(1), kRounding));
  EXPECT_TRUE(near(out.log_det, at::full({3}, 16 * std::log(6.0), at::kDouble), kRounding));
  EXPECT_TRUE(near(map.inverse(out.value).value, x, kRounding));
}

TEST(MultiScale, LipschitzConstantsAreThoseOfTheLongestWay) {
  const EventShape half{4, 2, 2};
  // 5 on the way of all, then 2 for what leaves and 3 for what stays.
  const auto chain =
      std::make_shared<Chain>(std::vector<TransformPtr>{shift({2, 4, 4}, 5.0), squeeze({2, 4, 4})});
  const MultiScale map({chain, shift(half, 3.0)}, true, {shift(half, 2.0)});
  EXPECT_NEAR(*map.forward_lipschitz(), 15.0, kRounding);
  EXPECT_NEAR(*map.inverse_lipschitz(), 0.5 / 5.0, kRounding);
  const MultiScale plain({chain, shift(half, 0.5)}, true);
  EXPECT_NEAR(*plain.forward_lipschitz(), 5.0, kRounding) << "what leaves moves as x does";
  EXPECT_NEAR(*plain.inverse_lipschitz(), 2.0 / 5.0, kRounding);
  const MultiScale given({chain, shift(half, 3.0)}, true, {shift(half, 2.0, 0.0, half)});
  EXPECT_FALSE(given.forward_lipschitz()) << "how a prior moves with its condition is not known";
}

TEST(MultiScale, SolveErrorsGrowAlongTheWay) {
  const EventShape half{4, 2, 2};
  const auto chain = std::make_shared<Chain>(
      std::vector<TransformPtr>{shift({2, 4, 4}, 5.0, 0.1), squeeze({2, 4, 4})});
  const auto bound = [&](const MultiScale& map, bool inverse) {
    const TransformOutput out = inverse ? map.inverse(images(2, {32})) : map.forward(images(2));
    return out.solve_error_bound[0].item<double>();
  };
  // The first error, 0.1, comes to 0.1 where the part leaves and to 3 * 0.1 + 0.2 at the end.
  const MultiScale plain({chain, shift(half, 3.0, 0.2)}, true);
  EXPECT_NEAR(bound(plain, false), std::hypot(0.1, 0.5), kRounding);
  // Back: 0.2 from what stays alone, through a slope of 1 / 5, and 0.1 of the first scale itself.
  EXPECT_NEAR(bound(plain, true), 0.2 / 5.0 + 0.1, kRounding);
  const MultiScale prior({chain, shift(half, 3.0, 0.2)}, true, {shift(half, 2.0, 0.3)});
  EXPECT_NEAR(bound(prior, false), std::hypot(2.0 * 0.1 + 0.3, 0.5), kRounding);
  EXPECT_NEAR(bound(prior, true), std::hypot(0.2, 0.3) / 5.0 + 0.1, kRounding);
  // A prior whose condition has an error can be anywhere; one whose condition is exact cannot.
  const MultiScale given({chain, shift(half, 3.0, 0.2)}, true, {shift(half, 2.0, 0.3, half)});
  EXPECT_EQ(bound(given, false), std::numeric_limits<double>::infinity());
  EXPECT_EQ(bound(given, true), std::numeric_limits<double>::infinity());
  const MultiScale exact({squeeze({2, 4, 4}), shift(half, 3.0)}, true,
                         {shift(half, 2.0, 0.3, half)});
  EXPECT_NEAR(bound(exact, false), 0.3, kRounding);
  EXPECT_NEAR(bound(exact, true), 0.3, kRounding);
}

TEST(MultiScale, PrepareInitialisesEveryScaleAndPrior) {
  const auto chain =
      std::make_shared<Chain>(std::vector<TransformPtr>{actnorm({2, 4, 4}), squeeze({2, 4, 4})});
  MultiScale map({chain, actnorm({4, 2, 2})}, true, {actnorm({4, 2, 2})});
  map.to(at::kDouble);
  EXPECT_TRUE(map.prepare_needs_data());
  const at::Tensor x = images(200) * 3.0 + 1.0;
  map.prepare(x);
  EXPECT_FALSE(map.prepare_needs_data());
  const at::Tensor z = map.forward(x).value;
  for (const int64_t first : {0, 16}) {  // what left, what stayed: four channels of four pixels
    const at::Tensor part = z.narrow(1, first, 16).reshape({200, 4, 4}).movedim(1, 2).flatten(0, 1);
    EXPECT_TRUE(near(part.mean(0), at::zeros({4}), 1e-9));
    EXPECT_TRUE(near(part.std(0), at::ones({4}), 1e-9));
  }
  map.prepare({});  // nothing waits for data any more
}

TEST(MultiScale, PrepareTakesAsManyRowsAsHaveAQuarterOfAMillionNumbers) {
  const auto rows_seen = [](const std::vector<int64_t>& event, int64_t rows) {
    const auto member = std::make_shared<Shift>(EventShape(event), EventShape{}, 2.0);
    MultiScale map({member}, true);
    map.prepare(at::zeros({rows, event[0], event[1], event[2]}));
    return member->rows();
  };
  EXPECT_EQ(rows_seen({1, 32, 32}, 300), 256);
  EXPECT_EQ(rows_seen({1, 8, 8}, 300), 300);
  EXPECT_EQ(rows_seen({1, 128, 128}, 70), 64);
}

TEST(MultiScale, WhatIsRandomOrUnprovenInsideShows) {
  Json block{{"type", "contractive_block"},
             {"event", {4, 2, 2}},
             {"net", {{"depth", 1}, {"growth", 4}, {"norm", "estimated"}}},
             {"train_log_det", {{"kind", "roulette"}, {"law", "poisson"}}},
             {"eval_log_det", "exact"}};
  const Json first{{"type", "squeeze"}, {"event", {2, 4, 4}}};
  const Json last{{"type", "actnorm"}, {"event", {4, 2, 2}}};
  const Json spec{{"type", "multi_scale"},
                  {"scales", {first, last}},
                  {"priors", Json::array({{{"type", "inverse"}, {"transform", block}}})}};
  const TransformPtr map = make_transform(spec);
  EXPECT_EQ(map->randomness(Phase::kTrain), Randomness::kUnbiased);
  EXPECT_EQ(map->randomness(Phase::kEvaluate), Randomness::kNone);
  EXPECT_EQ(map->warnings(Phase::kTrain).size(), 1);
  std::vector<std::string> names;
  int64_t unproven = 0;
  for (const Member& leaf : leaves_of(map)) {
    names.push_back(leaf.name);
    for (const auto& item : leaf.transform->named_parameters())
      EXPECT_TRUE(map->named_parameters().contains(leaf.name + "." + item.key())) << item.key();
    const ContractiveMap* contractive = leaf.transform->contractive();
    if (contractive != nullptr && !contractive->net()->proven()) ++unproven;
  }
  EXPECT_THAT(names, ElementsAre("scale0", "prior0.inner", "scale1"));
  EXPECT_EQ(unproven, 1);
  // How blocks are evaluated can be changed inside, as in any composite.
  Json changed = map->spec();
  EXPECT_EQ(change_leaves(changed,
                          [](const TransformEntry&, Json& options) {
                            if (!options.contains("eval_log_det")) return false;
                            options["eval_log_det"] = "roulette";
                            return true;
                          }),
            1);
  EXPECT_EQ(make_transform(changed)->randomness(Phase::kEvaluate), Randomness::kUnbiased);
}

TEST(MultiScale, MembersDrawFromStreamsOfTheirOwn) {
  const EventShape half{4, 2, 2};
  const auto drawn = [&](Rng rng) {
    std::vector<uint64_t> keys;
    const MultiScale map({squeeze({2, 4, 4}), shift(half, 3.0)}, true, {shift(half, 2.0)});
    map.trace(images(1), {.rng = rng}, /*inverse=*/false, [&](const TracedCall& call) {
      keys.push_back(call.context.rng.key());
      return true;
    });
    return keys;
  };
  const std::vector<uint64_t> keys = drawn(Rng(1));
  EXPECT_EQ(std::set<uint64_t>(keys.begin(), keys.end()).size(), 3U);
  EXPECT_EQ(drawn(Rng(1)), keys);
  EXPECT_NE(drawn(Rng(2)), keys);
}

TEST(MultiScale, MistakesAreNamed) {
  const auto text = [](std::vector<TransformPtr> scales, bool factor_out = true,
                       std::vector<TransformPtr> priors = {}) {
    return error_of<ConfigError>(
        [&] { MultiScale(std::move(scales), factor_out, std::move(priors)); });
  };
  EXPECT_THAT(text({}), HasSubstr("[MultiScale] scales: expected at least one scale"));
  EXPECT_THAT(text({nullptr}), HasSubstr("scales[0]: expected a transform, got null"));
  EXPECT_THAT(text({actnorm({3, 4, 4}), actnorm({3, 4, 4})}),
              AllOf(HasSubstr("scales[0]: expected an even number of channels"),
                    HasSubstr("got the shape [3, 4, 4]. End the scale with a squeeze")));
  EXPECT_THAT(text({squeeze({1, 4, 4}), actnorm({4, 2, 2})}),
              AllOf(HasSubstr("scales[1]: expected events of shape [2, 2, 2], the half that stays"),
                    HasSubstr("got [4, 2, 2]")));
  EXPECT_THAT(text({squeeze({1, 4, 4}), actnorm({2, 2, 2})}, false),
              HasSubstr("expected events of shape [4, 2, 2], which the scale before it gives"));
  const EventShape half{2, 2, 2};
  const auto both = [&] { return std::vector{squeeze({1, 4, 4}), actnorm(half)}; };
  EXPECT_THAT(text(both(), true, {actnorm(half), actnorm(half)}),
              HasSubstr("priors: expected 1, one for each split, or none, got 2"));
  EXPECT_THAT(text({squeeze({1, 4, 4})}, false, {actnorm(half)}), HasSubstr("priors: expected 0"));
  EXPECT_THAT(text(both(), true, {actnorm({4, 2, 2})}),
              HasSubstr("priors[0]: expected events and latents of shape [2, 2, 2]"));
  EXPECT_THAT(text(both(), true, {shift(half, 2.0, 0.0, 3)}),
              HasSubstr("priors[0]: expected a condition of shape [2, 2, 2], the half that stays"));
  EXPECT_THAT(text({shift(half, 2.0, 0.0, 3), shift({1, 2, 2}, 2.0, 0.0, 5)}),
              HasSubstr("scales[1]: expected conditions of shape [3], got [5]"));
  const Json spec{{"type", "multi_scale"}, {"scales", Json::array({{{"type", "sqeeze"}}})}};
  EXPECT_THAT(error_of<ConfigError>([&] { make_transform(spec, "config"); }),
              AllOf(HasSubstr("config scales[0]"), HasSubstr("Did you mean 'squeeze'?")));
}

}  // namespace
}  // namespace contraflow
