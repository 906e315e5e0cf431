#include "contraflow/transforms/column_map.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/registry.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;

ColumnInfo bounded(std::optional<double> lower, std::optional<double> upper) {
  return {.kind = ColumnKind::kBounded, .lower = lower, .upper = upper, .edge = 1e-6};
}

at::Tensor column_of(std::vector<double> values) {
  return at::tensor(values, at::kDouble).unsqueeze(1);
}

// Integral of exp(log p) over [low, high] under a standard normal after the map, by midpoints.
double integral(const ColumnInfo& info, double low, double high) {
  const ColumnMap map({{info}});
  constexpr int64_t kCells = 400'000;
  const double width = (high - low) / static_cast<double>(kCells);
  const at::Tensor x = (at::arange(kCells, at::kDouble) + 0.5) * width + low;
  const TransformOutput out = map.forward(x.unsqueeze(1));
  const at::Tensor log_p = -0.5 * out.value.square().squeeze(1) - 0.5 * std::log(2 * M_PI);
  return (log_p + out.log_det).exp().sum().item<double>() * width;
}

TEST(ColumnMap, MatchesTheFormulas) {
  const ColumnMap map({{{.center = 1.0, .scale = 2.0},
                        {.kind = ColumnKind::kPositive, .center = 0.5, .scale = 0.25},
                        bounded(-1.0, 3.0),
                        bounded(std::nullopt, 5.0)}});
  const TransformOutput out =
      map.forward(at::tensor({4.0, 2.0, 0.5, 3.0}, at::kDouble).view({1, 4}));
  EXPECT_NEAR(out.value[0][0].item<double>(), 1.5, kRounding);
  EXPECT_NEAR(out.value[0][1].item<double>(), (std::log(2.0) - 0.5) / 0.25, kRounding);
  EXPECT_NEAR(out.value[0][2].item<double>(), std::log(1.5 / 2.5), kRounding);
  EXPECT_NEAR(out.value[0][3].item<double>(), -std::log(2.0), kRounding);
  const double expected = -std::log(2.0) + std::log(1.0 / (2.0 * 0.25)) +
                          std::log(4.0 / (1.5 * 2.5)) + std::log(1.0 / 2.0);
  EXPECT_NEAR(out.log_det[0].item<double>(), expected, kRounding);
}

TEST(ColumnMap, DensitiesIntegrateToOneOnTheirBounds) {
  EXPECT_NEAR(integral(bounded(0.0, 1.0), 0.0, 1.0), 1.0, 1e-6);
  ColumnInfo narrow = bounded(-3.0, 0.5);
  narrow.center = 0.7;
  narrow.scale = 0.4;
  EXPECT_NEAR(integral(narrow, -3.0, 0.5), 1.0, 1e-6);
  EXPECT_NEAR(integral({.kind = ColumnKind::kPositive, .scale = 0.3}, 0.0, 20.0), 1.0, 1e-6);
  EXPECT_NEAR(integral(bounded(std::nullopt, 2.0), -400.0, 2.0), 1.0, 1e-4);
}

TEST(ColumnMap, BoundsHaveAnImageAndSamplesStayInside) {
  const ColumnMap map({{bounded(0.0, 1.0)}});
  const TransformOutput ends = map.forward(column_of({0.0, 1.0}));
  EXPECT_NEAR(ends.value[0].item<double>(), std::log(1e-6), 1e-5);
  EXPECT_NEAR(ends.value[1].item<double>(), -std::log(1e-6), 1e-5);
  const at::Tensor far = map.inverse(column_of({-900.0, -40.0, 40.0, 900.0})).value;
  EXPECT_TRUE(far.gt(0.0).logical_and(far.lt(1.0)).all().item<bool>());
}

// The number of a second in this century: float32 knows it to two minutes.
TEST(ColumnMap, AnOffsetCostsAFloat32ChainNoDigits) {
  const nlohmann::ordered_json spec = chain_spec(
      {ColumnMap({{{.center = 1.7e9, .scale = 60}}}).spec(), {{"type", "actnorm"}, {"event", 1}}});
  const TransformPtr narrow = make_transform(spec, "test"), wide = make_transform(spec, "test");
  wide->to(at::kDouble);
  const at::Tensor x = 1.7e9 + 60.0 * column_of({-2.0, -0.013, 0.4, 1.1});
  const TransformOutput z = narrow->forward(x), exact = wide->forward(x);
  EXPECT_EQ(z.value.scalar_type(), at::kFloat);
  EXPECT_LT((z.value - exact.value).abs().max().item<double>(), 1e-6);
  EXPECT_LT((z.log_det - exact.log_det).abs().max().item<double>(), 1e-6);
  const at::Tensor back = narrow->inverse(z.value).value;
  EXPECT_EQ(back.scalar_type(), at::kDouble);
  EXPECT_LT((back - x).abs().max().item<double>(), 1e-4);
}

TEST(ColumnMap, StepsGetNoiseThatTheInverseTakesAway) {
  const ColumnMap map(
      {{{.kind = ColumnKind::kInteger, .step = 0.1}, {.kind = ColumnKind::kCount, .scale = 2.0}}});
  const at::Tensor x = at::tensor({0.3, 0.0, -7.1, 41.0}, at::kDouble).view({2, 2});
  const TransformOutput a = map.forward(x, {.rng = Rng(1)}), b = map.forward(x, {.rng = Rng(2)});
  EXPECT_FALSE(a.value.equal(b.value));
  EXPECT_TRUE(map.inverse(a.value).value.equal(x)) << "and 3 * 0.1 is written 0.3";
  EXPECT_THAT(error_of<DomainError>([&] {
                map.forward(at::tensor({0.35, 1.0}, at::kDouble).view({1, 2}));
              }),
              HasSubstr("steps"));
  EXPECT_THAT(error_of<DomainError>([&] {
                map.forward(at::tensor({0.3, -1.0}, at::kDouble).view({1, 2}));
              }),
              HasSubstr("bounds"));
}

// A cell of a tenth has a tenth of the volume: its probability is the density times that.
TEST(ColumnMap, DensitiesOfStepsAreProbabilitiesOfCells) {
  const ColumnMap whole({{{.kind = ColumnKind::kInteger, .scale = 2.0}}});
  const ColumnMap tenths({{{.kind = ColumnKind::kInteger, .step = 0.1, .scale = 0.2}}});
  const double a = whole.forward(column_of({3.0})).log_det.item<double>();
  const double b = tenths.forward(column_of({0.3})).log_det.item<double>();
  EXPECT_NEAR(a, b, 1e-12);
}

// A net of a far condition would be as steep as the condition is far.
TEST(ColumnMap, FarConditionsGrowLikeTheirLogarithm) {
  const nlohmann::ordered_json block{{"type", "contractive_block"},
                                     {"event", 1},
                                     {"condition", 1},
                                     {"net", {{"growth", 4}, {"depth", 1}}}};
  const std::vector<ConditionScale> scales{{.center = 7.0, .scale = 2.0}};
  const nlohmann::ordered_json map = ColumnMap({{ColumnInfo{}}}).spec();
  const auto scaled = make_transform(chain_spec({map, block}, scales), "test");
  const auto plain = make_transform(chain_spec({map, block}), "test");
  const at::Tensor x = column_of({0.3, 0.3, 0.3});
  const auto at_conditions = [&](const Transform& t, const std::vector<double>& c) {
    return t.forward(x, {.condition = at::tensor(c, at::kDouble).view({3, 1})}).value;
  };
  const double far = 4.0 * (1.0 + std::log(1e9 / 4.0));
  EXPECT_TRUE(at_conditions(*scaled, {7.0 + 2e9, 7.0 - 2e9, 13.0})
                  .allclose(at_conditions(*plain, {far, -far, 3.0}), 1e-6, 1e-6));
}

TEST(ColumnMap, ConditionsAreStandardisedInFloat64) {
  const nlohmann::ordered_json block{{"type", "contractive_block"},
                                     {"event", 1},
                                     {"condition", 2},
                                     {"net", {{"growth", 4}, {"depth", 1}}}};
  const std::vector<ConditionScale> scales{{.center = 1e9, .scale = 10.0}};
  const nlohmann::ordered_json map = ColumnMap({{ColumnInfo{}}}).spec();
  const auto scaled = make_transform(chain_spec({map, block}, scales), "test");
  const auto plain = make_transform(chain_spec({map, block}), "test");
  const at::Tensor x = column_of({0.3, -1.0}),
                   given = at::tensor({1e9 + 5, 1.0, 1e9 - 20, 0.0}, at::kDouble).view({2, 2});
  const at::Tensor own = at::tensor({0.5, 1.0, -2.0, 0.0}, at::kDouble).view({2, 2});
  EXPECT_TRUE(scaled->forward(x, {.condition = given})
                  .value.allclose(plain->forward(x, {.condition = own}).value, 1e-6, 1e-6));
}

}  // namespace
}  // namespace contraflow
