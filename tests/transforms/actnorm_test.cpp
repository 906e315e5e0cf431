#include "contraflow/transforms/actnorm.h"

#include <cmath>

#include "contraflow/transforms/scale.h"
#include "contraflow/transforms/standardize.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::near;

at::Tensor skewed(int64_t rows) {
  return Rng(1).normal({rows, 3}, at::kDouble) * at::tensor({1.0, 20.0, 0.01}, at::kDouble) +
         at::tensor({0.0, -300.0, 5.0}, at::kDouble);
}

template <class T>
class DataDependent : public ::testing::Test {};
using Types = ::testing::Types<ActNorm, Standardize>;
TYPED_TEST_SUITE(DataDependent, Types);

TYPED_TEST(DataDependent, FirstPrepareStandardisesItsBatch) {
  TypeParam norm({.event = 3});
  norm.to(at::kDouble);
  const at::Tensor x = skewed(100);
  EXPECT_TRUE(at::equal(norm.forward(x).value, x)) << "identity before";
  EXPECT_TRUE(norm.prepare_needs_data());
  norm.prepare(x);
  EXPECT_FALSE(norm.prepare_needs_data());
  const TransformOutput out = norm.forward(x);
  EXPECT_TRUE(near(out.value.mean(0), at::zeros({3}), 1e-9));
  EXPECT_TRUE(near(out.value.std(0), at::ones({3}), kRounding));
  EXPECT_TRUE(near(out.log_det, -x.std(0).log().sum().expand({100}), kRounding));
}

TYPED_TEST(DataDependent, LaterPreparesKeepTheNumbers) {
  TypeParam norm({.event = 3});
  norm.to(at::kDouble);
  const at::Tensor x = skewed(100);
  norm.prepare(x);
  const at::Tensor z = norm.forward(x).value;
  norm.prepare(x * 7.0);
  EXPECT_TRUE(at::equal(norm.forward(x).value, z));
}

TYPED_TEST(DataDependent, ConstantColumnIsNamed) {
  TypeParam norm({.event = 3});
  at::Tensor x = skewed(100).to(at::kFloat);
  x.select(1, 2).fill_(0.1);
  const std::string text = error_of<DomainError>([&] { norm.prepare(x); });
  EXPECT_THAT(text, HasSubstr(".prepare] x: expected columns that vary, got the constant 0.1"));
  EXPECT_THAT(text, HasSubstr("in column 2"));
  EXPECT_TRUE(norm.prepare_needs_data()) << "a refused batch leaves no trace";
}

TYPED_TEST(DataDependent, OneRowSaysNothingAboutSpread) {
  TypeParam norm({.event = 3});
  EXPECT_THAT(error_of<DomainError>([&] { norm.prepare(skewed(1).to(at::kFloat)); }),
              HasSubstr("at least two rows"));
}

TYPED_TEST(DataDependent, MissingDimIsAnError) {
  EXPECT_THAT(error_of<ConfigError>([] { TypeParam norm({}); }), HasSubstr("event"));
}

TEST(ActNorm, IsTrained) {
  ActNorm norm({.event = 3});
  EXPECT_EQ(norm.parameters().size(), 2U);
  norm.prepare(skewed(50).to(at::kFloat));
  for (const at::Tensor& p : norm.parameters()) EXPECT_TRUE(p.requires_grad());
}

TEST(ActNorm, VarianceFloorLimitsTheScaleOfTheStart) {
  ActNorm norm({.event = 3, .variance_floor = 0.2});
  norm.to(at::kDouble);
  at::Tensor x = skewed(100);  // variances 1, 400, 1e-4
  x.select(1, 2).fill_(5.0);   // and even 0 is no error
  norm.prepare(x);
  const TransformOutput out = norm.forward(x);
  EXPECT_TRUE(near(out.value.mean(0), at::zeros({3}), 1e-9));
  EXPECT_TRUE(near(out.value.std(0), at::tensor({1.0, 1.0, 0.0}, at::kDouble), kRounding));
  const at::Tensor variance = x.var(0).clamp_min(0.2);
  EXPECT_TRUE(near(out.log_det, (-0.5 * variance.log().sum()).expand({100}), kRounding));
  EXPECT_THAT(error_of<ConfigError>([] { ActNorm bad({.event = 3, .variance_floor = -1.0}); }),
              HasSubstr("variance_floor"));
}

TEST(ActNorm, EachNumberOfAnImageHasItsOwn) {
  const EventShape event{2, 3, 4};
  ActNorm whole({.event = event, .each_number = true}), channels({.event = event});
  EXPECT_EQ(whole.parameters()[0].numel(), 24);
  EXPECT_EQ(channels.parameters()[0].numel(), 2);
  whole.to(at::kDouble);
  const at::Tensor scale = Rng(3).uniform({2, 3, 4}, at::kDouble) + 0.5;
  const at::Tensor x = Rng(2).normal({50, 2, 3, 4}, at::kDouble) * scale + scale;
  whole.prepare(x);
  const TransformOutput out = whole.forward(x);
  EXPECT_TRUE(near(out.value.mean(0), at::zeros({2, 3, 4}), 1e-9));
  EXPECT_TRUE(near(out.value.std(0), at::ones({2, 3, 4}), kRounding));
  EXPECT_TRUE(near(out.log_det, -x.std(0).log().sum().expand({50}), kRounding));
  EXPECT_TRUE(near(whole.inverse(out.value).value, x, kRounding));
  at::Tensor one_row = x.narrow(0, 0, 2).clone();
  one_row.select(1, 1).select(1, 2).select(1, 3).fill_(7.0);
  ActNorm fresh({.event = event, .each_number = true});
  EXPECT_THAT(error_of<DomainError>([&] { fresh.prepare(one_row.to(at::kFloat)); }),
              HasSubstr("in column 23"));
}

TEST(Scale, IsAPositiveFactorFromOne) {
  Scale scale({.event = 3});
  scale.to(at::kDouble);
  const at::Tensor x = skewed(20);
  EXPECT_TRUE(at::equal(scale.forward(x).value, x));
  EXPECT_FALSE(scale.prepare_needs_data());
  ASSERT_EQ(scale.parameters().size(), 1U);
  const at::NoGradGuard guard;
  const at::Tensor log_scale = at::tensor({-2.0, 0.5, 1.0}, at::kDouble);
  scale.parameters()[0].copy_(log_scale);
  const TransformOutput out = scale.forward(x);
  EXPECT_TRUE(near(out.value, x * log_scale.exp(), kRounding));
  EXPECT_TRUE(near(out.log_det, at::full({20}, -0.5, at::kDouble), kRounding));
  EXPECT_TRUE(near(scale.inverse(out.value).value, x, kRounding));
  EXPECT_NEAR(*scale.forward_lipschitz(), std::exp(1.0), kRounding);
  EXPECT_NEAR(*scale.inverse_lipschitz(), std::exp(2.0), kRounding);
}

TEST(Standardize, IsNotTrained) {
  const Standardize norm({.event = 3});
  EXPECT_TRUE(norm.parameters().empty());
  EXPECT_EQ(norm.buffers().size(), 3U);
}

}  // namespace
}  // namespace contraflow
