#include "contraflow/data/digits.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace contraflow::data {
namespace {

TEST(Digits, AreTheUciImages) {
  const Digits digits = load_digits();
  ASSERT_EQ(digits.x.sizes(), at::IntArrayRef({1797, 64}));
  ASSERT_EQ(digits.labels.sizes(), at::IntArrayRef({1797}));
  EXPECT_EQ(digits.x.scalar_type(), at::kDouble);
  EXPECT_EQ(digits.x.min().item<double>(), 0.0);
  EXPECT_EQ(digits.x.max().item<double>(), 16.0);
  EXPECT_TRUE(digits.x.equal(digits.x.round()));
  // Totals of the distributed file, from an awk one-liner over it.
  EXPECT_EQ(digits.x.sum().item<double>(), 561718.0);
  EXPECT_EQ(digits.labels.sum().item<int64_t>(), 8070);
  const at::Tensor weighted = digits.x * at::arange(64, at::kDouble);
  EXPECT_EQ(weighted.sum().item<double>(), 17660653.0);
}

TEST(Digits, FirstImageIsAZero) {
  const Digits digits = load_digits();
  const at::Tensor row = at::tensor({0., 0., 5., 13., 9., 1., 0., 0.}, at::kDouble);
  EXPECT_TRUE(digits.x[0].narrow(0, 0, 8).equal(row));
  EXPECT_EQ(digits.labels[0].item<int64_t>(), 0);
  EXPECT_EQ(digits.labels.min().item<int64_t>(), 0);
  EXPECT_EQ(digits.labels.max().item<int64_t>(), 9);
}

}  // namespace
}  // namespace contraflow::data
