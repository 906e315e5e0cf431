#include "contraflow/data/column_plan.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "contraflow/core/rng.h"
#include "contraflow/data/absurd_rows.h"
#include "contraflow/data/column_kinds.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kPlanRows = 2000;

at::Tensor normal_column(uint64_t seed) { return Rng(seed).normal({kPlanRows}, at::kDouble); }
at::Tensor uniform_column(uint64_t seed) { return Rng(seed).uniform({kPlanRows}, at::kDouble); }

Table table_of(const std::vector<std::pair<std::string, at::Tensor>>& columns) {
  Table out{.columns = {}, .rows = {}, .source = "t.csv"};
  std::vector<at::Tensor> values;
  for (const auto& [name, column] : columns) {
    out.columns.push_back(name);
    values.push_back(column);
  }
  out.rows = at::stack(values, 1);
  return out;
}

ColumnPlan plan(const std::vector<std::pair<std::string, at::Tensor>>& columns,
                const nlohmann::ordered_json& kinds = {}, bool chosen = false) {
  return plan_columns(table_of(columns), kinds, {}, chosen);
}

TEST(ColumnKinds, AreGuessedFromTheValues) {
  EXPECT_EQ(guess_kind(normal_column(1)).kind, ColumnKind::kContinuous);
  EXPECT_EQ(guess_kind(normal_column(1) * 1e-38).kind, ColumnKind::kContinuous);
  EXPECT_EQ(guess_kind(normal_column(1) * 1e300).kind, ColumnKind::kContinuous);
  EXPECT_EQ(guess_kind((2.0 * normal_column(1)).exp()).kind, ColumnKind::kPositive);
  EXPECT_EQ(guess_kind(normal_column(1) * 0.1 + 5.0).kind, ColumnKind::kContinuous);
  EXPECT_EQ(guess_kind(normal_column(1).gt(0).to(at::kDouble)).kind, ColumnKind::kInteger);
  EXPECT_EQ(guess_kind((2.0 * normal_column(1) + 3.0).exp().floor()).kind, ColumnKind::kCount);
  EXPECT_EQ(guess_kind((10.0 * normal_column(1)).round()).kind, ColumnKind::kInteger);
  const ColumnInfo unit = guess_kind(uniform_column(2));
  EXPECT_EQ(unit.kind, ColumnKind::kBounded);
  EXPECT_EQ(unit.upper, 1.0);
  EXPECT_EQ(guess_kind(100.0 * uniform_column(2)).upper, 100.0);
  EXPECT_EQ(guess_kind(0.5 + 0.1 * normal_column(3).clamp(-3, 3)).kind, ColumnKind::kContinuous);
}

TEST(ColumnKinds, CoarselyRoundedValuesAreSteps) {
  const ColumnInfo tenths = guess_kind((normal_column(1) * 10.0).round() / 10.0);
  EXPECT_EQ(tenths.kind, ColumnKind::kInteger);
  EXPECT_DOUBLE_EQ(tenths.step, 0.1);
  EXPECT_DOUBLE_EQ(guess_kind((normal_column(1) * 4.0).round() / 2.0).step, 0.5);
  EXPECT_EQ(guess_kind((normal_column(1) * 1e4).round() / 1e4).kind, ColumnKind::kContinuous);
}

TEST(ColumnKinds, AnAtomMakesAnyDecimalStepCount) {
  const at::Tensor rain =
      at::where(uniform_column(1).lt(0.9), 0.0, (300.0 * uniform_column(2)).round() / 100.0);
  const ColumnInfo info = guess_kind(rain);
  EXPECT_EQ(info.kind, ColumnKind::kCount) << "there is no rain below 0";
  EXPECT_DOUBLE_EQ(info.step, 0.01);
  const CommonValue common = most_common(rain);
  EXPECT_EQ(common.value, 0.0);
  EXPECT_NEAR(common.share, 0.9, 0.03);
}

TEST(ColumnKinds, ARareFlagIsAFlag) {
  at::Tensor flag = at::zeros({kPlanRows}, at::kDouble);
  flag[7] = 1.0;
  EXPECT_EQ(guess_kind(flag).levels, 2);
  EXPECT_EQ(guess_kind(1.0 - flag).levels, 2);
}

TEST(ColumnKinds, WholeNumbersMayHaveALargerStep) {
  const at::Tensor degrees = (uniform_column(1) * 37.0).floor() * 10.0;
  const ColumnInfo info = guess_kind(degrees);
  EXPECT_DOUBLE_EQ(info.step, 10.0);
  EXPECT_EQ(info.levels, 37);
  EXPECT_DOUBLE_EQ(guess_kind(at::cat({degrees, at::full({1}, 5.0, at::kDouble)})).step, 5.0);
  EXPECT_DOUBLE_EQ(guess_kind(degrees.narrow(0, 0, 20)).step, 1.0) << "too few rows to tell";
}

TEST(ColumnKinds, WholeNumbersThatStartAtZeroGoNoLower) {
  const at::Tensor geometric = (uniform_column(1).log() / std::log(0.6)).floor();
  const ColumnInfo info = guess_kind(geometric);
  EXPECT_EQ(info.kind, ColumnKind::kCount);
  EXPECT_EQ(info.least(), 0.0);
  EXPECT_EQ(guess_kind(geometric + 1.0).least(), 1.0);
  EXPECT_EQ(guess_kind(geometric - 5.0).kind, ColumnKind::kInteger) << "nothing begins at -5";
  at::Tensor one_zero = (20.0 + 5.0 * normal_column(1)).round().clamp_min(1.0);
  one_zero[0] = 0.0;
  EXPECT_EQ(guess_kind(one_zero).kind, ColumnKind::kInteger) << "an extreme among others";
}

TEST(ColumnPlan, LeavesOutWhatIsNoMeasurement) {
  const at::Tensor x = normal_column(1);
  const at::Tensor shuffled = Rng(3).permutation(kPlanRows).to(at::kDouble) + 1000.0;
  const ColumnPlan out = plan({{"column_0", at::arange(kPlanRows, at::kDouble)},
                               {"x", x},
                               {"again", x},
                               {"unit", at::full({kPlanRows}, 7.5, at::kDouble)},
                               {"event_id", shuffled},
                               {"y", normal_column(2)}});
  EXPECT_THAT(out.names, ElementsAre("x", "y"));
  ASSERT_EQ(out.left_out.size(), 4U);
  EXPECT_THAT(out.left_out[0].reason, HasSubstr("numbers the rows"));
  EXPECT_THAT(out.left_out[1].reason, HasSubstr("copy of 'x'"));
  EXPECT_THAT(out.left_out[2].reason, HasSubstr("7.5"));
  EXPECT_THAT(out.left_out[3].reason, HasSubstr("identifier"));
}

TEST(ColumnPlan, AShuffledColumnWithoutAnIndexNameStays) {
  const ColumnPlan out = plan({{"score", Rng(3).permutation(kPlanRows).to(at::kDouble)}});
  EXPECT_THAT(out.names, ElementsAre("score"));
}

TEST(ColumnPlan, RefusesChosenColumnsWithoutADensity) {
  const at::Tensor constant = at::full({kPlanRows}, 2.0, at::kDouble);
  expect_error<DomainError>(
      [&] {
        plan({{"x", normal_column(1)}, {"c", constant}}, {}, true);
      },
      {"'c'", "constant"});
  EXPECT_THAT(plan({{"n", at::arange(kPlanRows, at::kDouble)}}, {}, true).names, ElementsAre("n"))
      << "who asks for row numbers gets them";
}

TEST(ColumnPlan, RefusesLinearRelationsByName) {
  const at::Tensor x = normal_column(1), a = uniform_column(5), b = (1.0 - a) * uniform_column(6);
  expect_error<DomainError>(
      [&] {
        plan({{"x", x}, {"z", normal_column(2)}, {"y", 2.0 * x + 1.0}});
      },
      {"'x'", "'y'", "linear"});
  expect_error<DomainError>(
      [&] {
        plan({{"a", a}, {"b", b}, {"c", 1.0 - a - b}});
      },
      {"'a'", "'b'", "'c'"});
  at::Tensor slip = x.clone();
  slip[0] = 1e9;
  expect_error<DomainError>([&] { plan({{"x", slip}, {"y", 2.0 * slip + 1.0}}); }, {"linear"});
  EXPECT_EQ(plan({{"x", x}, {"y", x + 1e-3 * normal_column(2)}}).names.size(), 2U);
}

TEST(ColumnPlan, OneHotColumnsMayAddUpToOne) {
  const at::Tensor k = (uniform_column(1) * 3.0).floor();
  const auto is = [&](double value) { return k.eq(value).to(at::kDouble); };
  const ColumnPlan out = plan({{"a", is(0)}, {"b", is(1)}, {"c", is(2)}});
  EXPECT_EQ(out.names.size(), 3U);
  for (const ColumnInfo& info : out.infos) EXPECT_EQ(info.kind, ColumnKind::kInteger);
}

TEST(ColumnPlan, TheUserHasTheLastWord) {
  const at::Tensor x = uniform_column(1);
  EXPECT_EQ(plan({{"x", x}}, {{"x", "continuous"}}).infos[0].kind, ColumnKind::kContinuous);
  const nlohmann::ordered_json wide{{"x", {{"kind", "bounded"}, {"lower", -1}, {"upper", 2}}}};
  EXPECT_EQ(plan({{"x", x}}, wide).infos[0].upper, 2.0);
  expect_error<ConfigError>([&] { plan({{"x", x}}, {{"y", "positive"}}); }, {"kinds.y"});
  expect_error<ConfigError>([&] { plan({{"x", x}}, {{"x", "positiv"}}); }, {"kinds.x", "positive"});
  expect_error<ConfigError>([&] { plan({{"x", x}}, {{"x", "bounded"}}); }, {"bound"});
  expect_error<DomainError>([&] { plan({{"x", x - 0.5}}, {{"x", "positive"}}); }, {"row", "'x'"});
  expect_error<DomainError>([&] { plan({{"x", x}}, {{"x", "integer"}}); }, {"multiple of 1"});
}

TEST(ColumnPlan, QuantilesSetTheScale) {
  at::Tensor x = normal_column(1);
  x[0] = 1e6;
  const ColumnInfo info = scaled({}, x);
  EXPECT_NEAR(info.center, 0.0, 0.1);
  EXPECT_NEAR(info.scale, 1.0, 0.1);
  const at::Tensor mostly = at::where(uniform_column(2).lt(0.98), 0.0, x);
  EXPECT_GT(scaled({}, mostly).scale, 0.0);
}

TEST(AbsurdRows, AreThoseAloneFarOut) {
  at::Tensor z = normal_column(1).unsqueeze(1);
  EXPECT_FALSE(find_absurd(z).worst);
  z[5] = 1e6;
  z[9] = -2e6;
  const AbsurdRows found = find_absurd(z);
  EXPECT_EQ(found.mask.sum().item<int64_t>(), 2);
  EXPECT_EQ(found.worst->row, 9);
  const at::Tensor cauchy = (M_PI * (uniform_column(4) - 0.5)).tan().unsqueeze(1);
  EXPECT_FALSE(find_absurd(cauchy).worst) << "heavy tails are no slips";
}

}  // namespace
}  // namespace contraflow::data
