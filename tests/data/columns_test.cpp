#include "contraflow/data/columns.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using ::testing::ElementsAre;

const Columns kFull{
    .names = {"x", "y"}, .condition = {"t"}, .label = "k", .classes = 3, .weight = "w"};

at::Tensor row(std::vector<double> values) { return at::tensor(values, at::kDouble).unsqueeze(0); }

TEST(Columns, CutsRowsIntoTheirParts) {
  EXPECT_THAT(kFull.to_read(), ElementsAre("x", "y", "t", "k", "w"));
  EXPECT_EQ(kFull.condition_size(), 4);
  const Batch batch = kFull.to_batch(at::cat({row({1, 2, 0.5, 2, 3}), row({4, 5, -1, 0, 0})}),
                                     at::kFloat, "t.csv", 70);
  EXPECT_TRUE(batch.x.equal(at::tensor({1.F, 2.F, 4.F, 5.F}, at::kFloat).reshape({2, 2})));
  EXPECT_TRUE(batch.condition.equal(
      at::tensor({0.5F, 0.F, 0.F, 1.F, -1.F, 1.F, 0.F, 0.F}, at::kFloat).reshape({2, 4})));
  EXPECT_TRUE(batch.weight.equal(at::tensor({3.F, 0.F}, at::kFloat)));
  EXPECT_EQ(batch.first_row, 70);
}

TEST(Columns, PartsMayBeAbsent) {
  const Columns plain{.names = {"x", "y"}};
  const Batch batch = plain.to_batch(row({1, 2}), at::kDouble, "t.csv");
  EXPECT_EQ(batch.x.sizes(), at::IntArrayRef({1, 2}));
  EXPECT_FALSE(batch.condition.defined());
  EXPECT_FALSE(batch.weight.defined());
  EXPECT_EQ(plain.condition_size(), 0);
  EXPECT_THAT(kFull.to_read(false), ElementsAre("x", "y", "t", "k"));
  EXPECT_FALSE(kFull.to_batch(row({1, 2, 3, 1}), at::kFloat, "t", 0, false).weight.defined());
}

TEST(Columns, ValuesOutOfRange) {
  for (const double label : {3.0, -1.0, 0.5}) {
    expect_error<DomainError>(
        [&] {
          kFull.to_batch(row({1, 2, 0, label, 1}), at::kFloat, "t.csv", 70);
        },
        {"t.csv, label 'k', row 70", "0 to 2"});
  }
  expect_error<DomainError>(
      [] {
        kFull.to_batch(row({1, 2, 0, 1, -0.5}), at::kFloat, "t.csv");
      },
      {"t.csv, weight 'w', row 0", "-0.5"});
}

TEST(Columns, ClassesAreCounted) {
  EXPECT_EQ(count_classes(at::tensor({0., 4., 2.}, at::kDouble), "t"), 5);
  expect_error<DomainError>(
      [] {
        count_classes(at::tensor({0., 1.5}, at::kDouble), "t");
      },
      {"row 1", "1.5"});
  expect_error<DomainError>(
      [] {
        count_classes(at::tensor({1e9, 1.}, at::kDouble), "t");
      },
      {"row 0", "9999"});
}

}  // namespace
}  // namespace contraflow::data
