// The curves' loops against tensor operations, closed forms and finite differences.
#include "contraflow/transforms/marginal_curves.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "contraflow/core/rng.h"
#include "contraflow/transforms/monotone_curve.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::central_difference;
using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

constexpr double kLoopsRounding = 1e-10;  // pieces of slopes from 1e-3 to 1e3 lose a few digits

// Three columns: five knots of uneven pieces, a straight line, two knots with a heavy right tail.
MarginalCurves uneven_curves() {
  MarginalCurves out;
  out.place = at::tensor({-2.0, -1.9, 0.0, 0.5, 3.0, 1.5, -1.0, 4.0}, at::kDouble);
  out.height = at::tensor({-2.5, -1.0, -0.8, 1.9, 2.0, 0.25, -0.3, 0.4}, at::kDouble);
  out.slope = at::tensor({3.0, 9.0, 0.2, 5.0, 0.01, 0.7, 0.3, 2.0}, at::kDouble);
  out.tail = at::tensor({0.3, 2.0, 0.0, 0.0, 1e-3, 5.0}, at::kDouble).view({3, 2});
  out.first_knot = {0, 5, 6, 8};
  return out;
}

// Rows in pieces, in tails, and the knots themselves.
at::Tensor curve_inputs() {
  const at::Tensor spread = Rng(4).normal({60, 3}, at::kDouble) * 3.0;
  const at::Tensor knots =
      at::tensor({-2.0, 1.5, -1.0, -1.9, 1.5, 4.0, 3.0, 1.0, 0.0}, at::kDouble).view({3, 3});
  return at::cat({spread, knots, at::full({1, 3}, 1e6, at::kDouble)});
}

TEST(MarginalCurves, MatchTheComposedForm) {
  const MarginalCurves curves = uneven_curves();
  for (const bool inverse : {false, true}) {
    const CurvesOutput loops = map_curves(curves, curve_inputs().clamp_max(40.0), inverse);
    const CurvesOutput composed = composed_curves(curves, curve_inputs().clamp_max(40.0), inverse);
    EXPECT_TRUE(near(loops.value, composed.value, kLoopsRounding)) << inverse;
    EXPECT_TRUE(near(loops.log_det, composed.log_det, kLoopsRounding)) << inverse;
  }
}

// sum(A value) + sum(c log_det).
at::Tensor curves_loss(const CurvesOutput& out) {
  const Rng rng(8);
  return (out.value * rng.fork("a").normal(out.value.sizes(), at::kDouble)).sum() +
         (out.log_det * rng.fork("c").normal(out.log_det.sizes(), at::kDouble)).sum();
}

// Gradients by x, height, slope and tail.
using CurvesMap = CurvesOutput (*)(const MarginalCurves&, const at::Tensor&, bool);
std::vector<at::Tensor> curves_gradients(CurvesMap map, bool inverse) {
  MarginalCurves curves = uneven_curves();
  const at::Tensor x = Rng(5).normal({50, 3}, at::kDouble).mul_(2.0).requires_grad_(true);
  for (at::Tensor* t : {&curves.height, &curves.slope, &curves.tail}) t->requires_grad_(true);
  return torch::autograd::grad({curves_loss(map(curves, x, inverse))},
                               {x, curves.height, curves.slope, curves.tail});
}

TEST(MarginalCurves, GradientsAreThoseOfTheComposedForm) {
  for (const bool inverse : {false, true}) {
    const auto loops = curves_gradients(map_curves, inverse);
    const auto composed = curves_gradients(composed_curves, inverse);
    for (size_t k = 0; k < loops.size(); ++k) {
      const at::Tensor scale = composed[k].abs().max();
      EXPECT_GT(scale.item<double>(), 0.0);
      EXPECT_TRUE(near(loops[k] / scale, composed[k] / scale, kLoopsRounding))
          << "gradient " << k << ", inverse " << inverse;
    }
  }
}

TEST(MarginalCurves, GradientsAreFiniteDifferences) {
  constexpr double kDifference = 1e-6;
  for (const bool inverse : {false, true}) {
    const auto gradients = curves_gradients(map_curves, inverse);
    const MarginalCurves curves = uneven_curves();
    const at::Tensor x = Rng(5).normal({50, 3}, at::kDouble) * 2.0;
    const std::vector<at::Tensor> moved{x, curves.height, curves.slope, curves.tail};
    for (size_t k = 0; k < moved.size(); ++k) {
      at::Tensor direction = Rng(6 + k).normal(moved[k].sizes(), at::kDouble);
      if (k == 3) direction[1].zero_();  // a straight tail stays straight
      direction = direction / direction.norm();
      const double expected = central_difference(
          [&] { return curves_loss(map_curves(curves, x, inverse)).item<double>(); }, moved[k],
          direction, 1e-6);
      const double scale = std::max(1.0, gradients[k].norm().item<double>());
      EXPECT_NEAR((gradients[k] * direction).sum().item<double>(), expected, kDifference * scale)
          << "gradient " << k << ", inverse " << inverse;
    }
  }
}

TEST(MarginalCurves, KnotsHaveTheirHeightsAndSlopes) {
  const MarginalCurves curves = uneven_curves();
  const CurveView five{curves.place.const_data_ptr<double>(),
                       curves.height.const_data_ptr<double>(),
                       curves.slope.const_data_ptr<double>(),
                       5,
                       0.3,
                       2.0};
  for (int64_t k = 0; k < 5; ++k) {
    for (const double side : {-1e-12, 0.0, 1e-12}) {
      const CurvePoint point = curve_forward(five, five.place[k] + side);
      EXPECT_NEAR(point.value, five.height[k], 1e-9) << k;
      EXPECT_NEAR(std::exp(point.log_slope), five.slope[k], 1e-7) << k;
    }
    EXPECT_EQ(curve_inverse(five, five.height[k]).value, five.place[k]);
  }
}

// The middle of a piece of width 2 and rise 1, slopes 1/4 and 1 (p = 1/2, q = 2), by hand.
TEST(MarginalCurves, APieceByHand) {
  const double place[] = {1.0, 3.0}, height[] = {0.0, 1.0}, slope[] = {0.25, 1.0};
  const CurveView curve{place, height, slope, 2, 0.0, 0.5};
  const CurvePoint middle = curve_forward(curve, 2.0);
  EXPECT_NEAR(middle.value, 0.375 / 1.125, 1e-15);
  EXPECT_NEAR(std::exp(middle.log_slope), 0.5 * 1.125 / (1.125 * 1.125), 1e-15);
  EXPECT_NEAR(curve_inverse(curve, 0.375 / 1.125).value, 2.0, 1e-15);
  // Tails: straight on the left, log(1 + u / 2) / (1/2) on the right.
  EXPECT_DOUBLE_EQ(curve_forward(curve, -3.0).value, -1.0);
  EXPECT_DOUBLE_EQ(curve_forward(curve, 7.0).value, 1.0 + 2.0 * std::log(3.0));
  EXPECT_DOUBLE_EQ(std::exp(curve_forward(curve, 7.0).log_slope), 1.0 / 3.0);
  EXPECT_NEAR(curve_inverse(curve, 1.0 + 2.0 * std::log(3.0)).value, 7.0, 1e-14);
}

// Steep against flat: ends that are a million times steeper or flatter than the piece.
TEST(MarginalCurves, ExtremePiecesAreUndone) {
  const double place[] = {0.0, 1.0}, height[] = {0.0, 1.0};
  for (const double p : {1e-6, 1.0, 2.0, 1e6}) {
    for (const double q : {1e-6, 1.0, 2.0, 1e6}) {
      const double slope[] = {p, q};
      const CurveView curve{place, height, slope, 2, 1.0, 1.0};
      for (double x = 0.0; x <= 1.0; x += 1.0 / 64.0) {
        const CurvePoint at = curve_forward(curve, x);
        const CurvePoint back = curve_inverse(curve, at.value);
        EXPECT_NEAR(back.value, x, 1e-14 * (1.0 + std::exp(-at.log_slope))) << p << " " << q;
      }
    }
  }
}

TEST(MarginalCurves, ASecondDerivativeIsRefused) {
  const at::Tensor x = at::ones({2, 3}, at::kDouble).requires_grad_(true);
  const CurvesOutput out = map_curves(uneven_curves(), x, false);
  EXPECT_THAT(error_of<InverseUnavailable>([&] {
                torch::autograd::grad({out.value.sum()}, {x}, {}, true, /*create_graph=*/true);
              }),
              HasSubstr("second"));
}

}  // namespace
}  // namespace contraflow
