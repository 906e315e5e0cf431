#include "contraflow/data/split_rule.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <set>

#include "contraflow/core/rng.h"

namespace contraflow::data {
namespace {

constexpr SplitSizes kSizes{.validation_fraction = 0.2, .test_fraction = 0.1};

at::Tensor split_rows_sample(int64_t count) { return Rng(4).normal({count, 2}, at::kDouble); }

std::set<double> first_values(const at::Tensor& rows, const at::Tensor& part) {
  std::set<double> out;
  for (int64_t r = 0; r < part.size(0); ++r) out.insert(rows[part[r]][0].item<double>());
  return out;
}

TEST(SplitRule, GivesTheSizesAskedFor) {
  const at::Tensor places = places_of(SplitBy::kRow, 0, split_rows_sample(500), {});
  const SplitRows parts = apply(make_split_rule(SplitBy::kRow, 0, places, kSizes), places);
  EXPECT_EQ(parts.test.size(0), 50);
  EXPECT_EQ(parts.validation.size(0), 100);
  EXPECT_EQ(parts.train.size(0), 350);
  const at::Tensor all = at::cat({parts.train, parts.validation, parts.test});
  EXPECT_TRUE(std::get<0>(all.sort()).equal(at::arange(500)));
}

TEST(SplitRule, ARowStaysInItsPartWhereverItStands) {
  const at::Tensor rows = split_rows_sample(300);
  const at::Tensor places = places_of(SplitBy::kRow, 7, rows, {});
  const SplitRule rule = make_split_rule(SplitBy::kRow, 7, places, kSizes);
  const std::set<double> test = first_values(rows, apply(rule, places).test);
  const at::Tensor moved = at::cat(
      {rows.index_select(0, Rng(1).permutation(300)), split_rows_sample(400).narrow(0, 300, 100)});
  const SplitRows parts = apply(rule, places_of(SplitBy::kRow, 7, moved, {}));
  const std::set<double> after = first_values(moved, parts.test);
  for (const double value : test) EXPECT_TRUE(after.contains(value));
  const std::set<double> train = first_values(moved, parts.train);
  for (const double value : test) EXPECT_FALSE(train.contains(value));
}

TEST(SplitRule, CopiesFallOnOneSide) {
  const at::Tensor rows = split_rows_sample(100).repeat({20, 1});
  const at::Tensor places = places_of(SplitBy::kRow, 0, rows, {});
  const SplitRows parts = apply(make_split_rule(SplitBy::kRow, 0, places, kSizes), places);
  const std::set<double> test = first_values(rows, parts.test);
  const std::set<double> train = first_values(rows, parts.train);
  EXPECT_EQ(std::ssize(test) * 20, parts.test.size(0));
  EXPECT_EQ(std::ssize(train) * 20, parts.train.size(0));
  for (const double value : test) EXPECT_FALSE(train.contains(value));
}

TEST(SplitRule, CopiesOfRoundedRowsAreSplitForThemselves) {
  const at::Tensor rows = at::tensor({0.0, 1.0}, at::kDouble).view({2, 1}).repeat({500, 1});
  const at::Tensor places = places_of(SplitBy::kRowCopy, 0, rows, {});
  const SplitRows parts = apply(make_split_rule(SplitBy::kRowCopy, 0, places, kSizes), places);
  EXPECT_EQ(parts.test.size(0), 100);
  EXPECT_THAT(first_values(rows, parts.test), ::testing::SizeIs(2));
}

TEST(SplitRule, GroupsStayTogether) {
  const at::Tensor key = at::arange(1000, at::kDouble).div(50, "floor");
  const at::Tensor places = places_of(SplitBy::kGroup, 0, split_rows_sample(1000), key);
  const SplitRows parts = apply(make_split_rule(SplitBy::kGroup, 0, places, kSizes), places);
  for (const at::Tensor& part : {parts.train, parts.validation, parts.test}) {
    EXPECT_GT(part.size(0), 0);
    EXPECT_EQ(part.size(0) % 50, 0);
  }
}

TEST(SplitRule, TheLastRowsInTimeAreTheTest) {
  const at::Tensor time = Rng(2).permutation(100).to(at::kDouble);
  const at::Tensor places = places_of(SplitBy::kTime, 0, split_rows_sample(100), time);
  const SplitRows parts = apply(make_split_rule(SplitBy::kTime, 0, places, kSizes), places);
  const auto of = [&](const at::Tensor& part) { return time.index_select(0, part); };
  EXPECT_EQ(of(parts.test).min().item<double>(), 90.0);
  EXPECT_EQ(of(parts.validation).min().item<double>(), 70.0);
  EXPECT_EQ(of(parts.train).max().item<double>(), 69.0);
}

}  // namespace
}  // namespace contraflow::data
