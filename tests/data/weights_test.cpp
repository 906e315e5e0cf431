#include "contraflow/data/weights.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "contraflow/core/error.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;

at::Tensor weights(std::vector<double> values) { return at::tensor(values, at::kDouble); }

TEST(Weights, AreFiniteNotNegativeAndNotAllZero) {
  check_weights("here", "weight", weights({0.0, 2.5, 1e-300}));
  const auto check = [](std::vector<double> values) {
    return [values] { check_weights("here", "weight", weights(values)); };
  };
  expect_error<DomainError>(check({1.0, -0.5}), {"[here] weight, row 1", "-0.5", ">= 0"});
  expect_error<DomainError>(check({std::nan(""), 1.0}), {"row 0", "nan"});
  expect_error<DomainError>(check({1.0, std::numeric_limits<double>::infinity()}), {"inf"});
  expect_error<DomainError>(check({0.0, 0.0}), {"above 0", "2 zeros"});
}

TEST(Weights, EffectiveRowsAreKishs) {
  EXPECT_DOUBLE_EQ(effective_rows(weights({3, 3, 3, 3})), 4.0);
  EXPECT_DOUBLE_EQ(effective_rows(weights({0, 7, 0})), 1.0);
  EXPECT_DOUBLE_EQ(effective_rows(weights({1, 2})), 9.0 / 5.0);
}

Batch batch_of(const at::Tensor& weight) {
  const at::Tensor number = at::arange(weight.size(0), at::kDouble);
  return {number.unsqueeze(1), number.unsqueeze(1) + 100, weight, 40};
}

std::vector<double> numbers(const at::Tensor& t) {
  const at::Tensor flat = t.contiguous().flatten();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

TEST(Weights, RowsByWeightRepeatAndLeaveOut) {
  using ::testing::ElementsAre;
  const Batch out = rows_by_weight(batch_of(weights({0, 2, 1, 3, 0, 0})));
  EXPECT_THAT(numbers(out.x), ElementsAre(1, 1, 2, 3, 3, 3));
  EXPECT_THAT(numbers(out.condition), ElementsAre(101, 101, 102, 103, 103, 103));
  EXPECT_FALSE(out.weight.defined());
  EXPECT_EQ(out.first_row, 40);
  // Weights near the largest and the smallest number, and their scale, do no harm.
  EXPECT_THAT(numbers(rows_by_weight(batch_of(weights({1e300, 0, 3e300}))).x),
              ElementsAre(0, 2, 2));
  EXPECT_THAT(numbers(rows_by_weight(batch_of(weights({0, 0, 1e-300}))).x), ElementsAre(2, 2, 2));
}

TEST(Weights, EqualOnesChangeNothing) {
  for (const int64_t rows : {1, 7, 1000, 100'000}) {
    const Batch batch = batch_of(at::full({rows}, 0.1, at::kDouble));
    EXPECT_TRUE(rows_by_weight(batch).x.equal(batch.x)) << rows;
  }
  const Batch plain = batch_of(at::Tensor(at::ones({5}, at::kDouble)));
  EXPECT_TRUE(rows_by_weight({plain.x, {}, {}, 0}).x.is_same(plain.x));
}

}  // namespace
}  // namespace contraflow::data
