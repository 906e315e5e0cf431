#include "contraflow/data/splits.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;

at::Tensor sorted(const SplitRows& rows) {
  return std::get<0>(at::cat({rows.train, rows.validation, rows.test}).sort());
}

TEST(Split, PartsAreDisjointAndComplete) {
  for (const int64_t count : {3, 10, 17, 1797}) {
    const SplitRows rows = split_rows(count, {}, Rng(5));
    EXPECT_TRUE(sorted(rows).equal(at::arange(count))) << count;
    EXPECT_GE(rows.train.size(0), 1);
    EXPECT_GE(rows.validation.size(0), 1);
    EXPECT_GE(rows.test.size(0), 1);
  }
}

TEST(Split, SizesAreThoseAskedFor) {
  const SplitRows fractions =
      split_rows(1000, {.validation_fraction = 0.2, .test_fraction = 0.25}, Rng(1));
  EXPECT_EQ(fractions.validation.size(0), 200);
  EXPECT_EQ(fractions.test.size(0), 250);
  const SplitRows counts = split_rows(1797, {.validation_rows = 144, .test_rows = 360}, Rng(1));
  EXPECT_EQ(counts.train.size(0), 1293);
  EXPECT_EQ(counts.validation.size(0), 144);
  EXPECT_EQ(counts.test.size(0), 360);
  const SplitRows none = split_rows(10, {.validation_fraction = 0, .test_rows = 0}, Rng(1));
  EXPECT_EQ(none.train.size(0), 10);
}

TEST(Split, DependsOnTheSeed) {
  const SplitRows a = split_rows(100, {}, Rng(1));
  EXPECT_TRUE(a.train.equal(split_rows(100, {}, Rng(1)).train));
  EXPECT_FALSE(a.train.equal(split_rows(100, {}, Rng(2)).train));
  EXPECT_FALSE(sorted(a).equal(at::cat({a.train, a.validation, a.test}))) << "rows are shuffled";
}

TEST(Split, TestRowsDoNotMoveWithTheValidationSize) {
  const SplitRows a = split_rows(100, {.validation_rows = 5, .test_rows = 20}, Rng(1));
  const SplitRows b = split_rows(100, {.validation_rows = 30, .test_rows = 20}, Rng(1));
  EXPECT_TRUE(a.test.equal(b.test));
}

TEST(Split, NothingLeftForTraining) {
  expect_error<ConfigError>([] { split_rows(10, {.validation_rows = 5, .test_rows = 5}, Rng(1)); },
                            {"5 for validation", "5 for the test", "got 10"});
  expect_error<ConfigError>([] { split_rows(2, {}, Rng(1)); }, {"got 2"});
  expect_error<ConfigError>([] { split_rows(10, {.test_rows = -1}, Rng(1)); }, {"test_rows", "-1"});
  expect_error<ConfigError>([] { split_rows(10, {.test_fraction = 1.5}, Rng(1)); },
                            {"test_fraction", "1.5"});
}

TEST(Split, TensorsBecomeSources) {
  const at::Tensor r = at::arange(50, at::kDouble);
  const Splits splits = split_tensors({.x = r.unsqueeze(1), .weight = r + 1}, {.test_rows = 20});
  EXPECT_EQ(splits.train->size(), 25);
  EXPECT_EQ(splits.validation->size(), 5);
  std::vector<at::Tensor> seen;
  for (const SourcePtr& part : {splits.train, splits.validation, splits.test}) {
    const Batch all = part->rows(0, *part->size());
    EXPECT_TRUE(all.weight.equal(all.x.select(1, 0) + 1)) << "rows travel together";
    seen.push_back(all.x.select(1, 0));
  }
  EXPECT_TRUE(std::get<0>(at::cat(seen).sort()).equal(r));
  EXPECT_EQ(split_tensors({.x = r.unsqueeze(1)}, {.test_rows = 0}).test, nullptr);
  EXPECT_EQ(split_tensors({.x = r.unsqueeze(1)}, {}, Rng(1), at::kFloat)
                .train->batch(0, 2)
                .x.scalar_type(),
            at::kFloat);
  const Batch all{.x = r.unsqueeze(1), .condition = r.unsqueeze(1), .weight = r};
  const Batch batch = split_tensors(all, {}, Rng(1), at::kFloat).train->batch(0, 2);
  EXPECT_EQ(batch.condition.scalar_type(), at::kFloat);
  EXPECT_EQ(batch.weight.scalar_type(), at::kFloat);
  expect_error<ShapeError>([&] { split_tensors({.x = r}); }, {"x.unsqueeze(1)"});
  expect_error<ShapeError>([&] { split_tensors({.x = {}}); }, {"no tensor"});
}

}  // namespace
}  // namespace contraflow::data
