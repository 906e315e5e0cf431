#include "contraflow/transforms/logit.h"

#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::near;

TEST(Logit, MatchesTheFormula) {
  const Logit map({.event = 2, .lower = {-1.0, 2.0}, .upper = {1.0, 6.0}, .alpha = 0.1});
  const at::Tensor x = at::tensor({0.5, 3.0}, at::kDouble).unsqueeze(0);
  const double p0 = 0.1 + 0.8 * 0.75;
  const double p1 = 0.1 + 0.8 * 0.25;
  const auto [z, log_det, bias, error] = map.forward(x);
  EXPECT_NEAR(z[0][0].item<double>(), std::log(p0 / (1 - p0)), kRounding);
  EXPECT_NEAR(z[0][1].item<double>(), std::log(p1 / (1 - p1)), kRounding);
  EXPECT_NEAR(log_det[0].item<double>(),
              std::log(0.8 / 2.0 / (p0 * (1 - p0))) + std::log(0.8 / 4.0 / (p1 * (1 - p1))),
              kRounding);
}

TEST(Logit, BoundsThemselvesAreFiniteAndSymmetric) {
  for (const double alpha : {0.05, 1e-6}) {
    const Logit map({.event = 1, .alpha = alpha});
    const at::Tensor ends = at::tensor({0.0, 1.0}, at::kFloat).unsqueeze(1);
    const TransformOutput out = map.forward(ends);
    const double expected = std::log(alpha / (1 - alpha));
    EXPECT_NEAR(out.value[0].item<double>(), expected, 1e-5);
    EXPECT_NEAR(out.value[1].item<double>(), -expected, 1e-5);
    EXPECT_NEAR(out.log_det[0].item<double>(), out.log_det[1].item<double>(), 1e-5);
  }
}

// 1 - p taken from p loses every digit of alpha here: log_det would be off by percents.
TEST(Logit, SaturatedFloat32AgreesWithFloat64) {
  const Logit map({.event = 1, .alpha = 1e-6});
  const at::Tensor x =
      at::tensor({1.0 - 0x1p-22, 1.0 - 0x1p-20, 0x1p-22}, at::kDouble).unsqueeze(1);
  const TransformOutput wide = map.forward(x);
  const TransformOutput narrow = map.forward(x.to(at::kFloat));
  constexpr double kFloat = 1e-6;
  EXPECT_TRUE(near(narrow.value, wide.value, kFloat));
  EXPECT_TRUE(near(narrow.log_det, wide.log_det, kFloat));
}

TEST(Logit, FarLatentsStayFinite) {
  const Logit map({.event = 1});
  const at::Tensor z = at::tensor({-1e4, -200.0, 200.0, 1e4}, at::kFloat).unsqueeze(1);
  const TransformOutput out = map.inverse(z);
  EXPECT_TRUE(at::isfinite(out.value).all().item<bool>());
  EXPECT_NEAR(out.log_det[0].item<double>(), -1e4, 1.0);
  constexpr double kMargin = 0.05 / 0.9;
  EXPECT_LE(out.value.max().item<double>(), 1.0 + kMargin + 1e-6);
  EXPECT_GE(out.value.min().item<double>(), -kMargin - 1e-6);
}

TEST(Logit, OutsideTheBoundsNamesRowAndColumn) {
  const Logit map({.event = 2, .lower = {0.0}, .upper = {1.0, 5.0}});
  const at::Tensor x = at::tensor({0.5, 4.0, 1.5, 4.0}, at::kDouble).view({2, 2});
  EXPECT_THAT(error_of<DomainError>([&] { map.forward(x); }),
              HasSubstr("got 1.5 at row 1, column 0"));
}

TEST(Logit, ContradictoryBoundsAreConfigErrors) {
  EXPECT_THAT(error_of<ConfigError>([] {
                Logit({.event = 2, .lower = {0, 1}, .upper = {1}});
              }),
              HasSubstr("column 1"));
  EXPECT_THAT(error_of<ConfigError>([] {
                Logit({.event = 3, .lower = {0, 1}});
              }),
              HasSubstr("expected 1 or 3 values, got 2 values"));
  EXPECT_THAT(error_of<ConfigError>([] { Logit({.event = 3, .alpha = 0.5}); }), HasSubstr("alpha"));
}

}  // namespace
}  // namespace contraflow
