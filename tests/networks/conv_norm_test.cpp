// Bounds on the norm of convolutions, against the singular values of the whole operator.
#include "contraflow/networks/conv_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/core/rng.h"
#include "contraflow/networks/conv_rule.h"
#include "tests/networks/dense_conv.h"

namespace contraflow {
namespace {

using testing::convolution_norm;

constexpr double kConvTolerance = 1e-10;
constexpr double kConvSvdError = 1e-13;  // of the dense reference
constexpr double kExactConv = 1e-9;      // circular bounds

struct ConvShape {
  int64_t outputs, inputs, kernel, height, width;
  std::string text() const {
    return c10::str(inputs, " to ", outputs, " channels, kernel ", kernel, ", ", height, " x ",
                    width);
  }
  bool fits() const { return kernel <= std::min(height, width); }
};

const ConvShape kConvShapes[] = {
    {1, 1, 3, 5, 5}, {2, 3, 3, 4, 6}, {6, 2, 3, 7, 7},   {2, 6, 5, 8, 5},  {3, 4, 1, 4, 4},
    {4, 4, 5, 9, 9}, {3, 2, 3, 1, 7}, {2, 2, 5, 3, 2},   {2, 3, 3, 1, 1},  {2, 2, 3, 2, 2},
    {5, 4, 3, 8, 8}, {2, 2, 7, 7, 7}, {3, 2, 3, 10, 10}, {2, 3, 5, 10, 10}};

struct ConvWeight {
  std::string name;
  at::Tensor weight;
};

std::vector<ConvWeight> conv_weights(const ConvShape& s, uint64_t seed) {
  const at::Tensor g = Rng(seed).normal({s.outputs, s.inputs, s.kernel, s.kernel}, at::kDouble);
  return {{"gaussian", g},     {"smooth", g * 0.2 + 1},       {"tiny", g * 1e-160},
          {"huge", g * 1e160}, {"float32", g.to(at::kFloat)}, {"sparse", g * g.gt(0.9)}};
}

NormInterval cold_norm(const at::Tensor& weight, const ConvGrid& grid, NormMethod method,
                       double tolerance = kConvTolerance) {
  const ConvFrequencies frequencies(weight.size(2), grid);
  NormPair pair = empty_conv_pair(weight.size(0), weight.size(1));
  return update_conv_norm(weight, frequencies, pair, method, tolerance);
}

class ConvNorm : public ::testing::TestWithParam<ConvPadding> {};

TEST_P(ConvNorm, ProofsLieAboveTheOperatorAndLowerEndsBelow) {
  uint64_t seed = 1;
  for (const ConvShape& shape : kConvShapes) {
    const ConvGrid grid{shape.height, shape.width, GetParam()};
    for (const ConvWeight& w : conv_weights(shape, ++seed)) {
      const double norm = convolution_norm(w.weight, grid);
      for (const auto& [name, method] : enum_names(NormMethod{})) {
        SCOPED_TRACE(c10::str(shape.text(), ", ", w.name, ", ", name));
        const NormInterval found = cold_norm(w.weight, grid, method);
        EXPECT_LE(found.lower, norm * (1 + kConvSvdError));
        if (method != NormMethod::kEstimated) {
          EXPECT_GE(found.upper, norm * (1 - kConvSvdError));
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paddings, ConvNorm,
                         ::testing::Values(ConvPadding::kZero, ConvPadding::kCircular),
                         [](const auto& test) { return enum_name(test.param); });

TEST(CircularConvNorm, IsExactWhereTheKernelFits) {
  uint64_t seed = 100;
  for (const ConvShape& shape : kConvShapes) {
    if (!shape.fits()) continue;
    const ConvGrid grid{shape.height, shape.width, ConvPadding::kCircular};
    for (const ConvWeight& w : conv_weights(shape, ++seed)) {
      SCOPED_TRACE(shape.text() + ", " + w.name);
      const double norm = convolution_norm(w.weight, grid);
      const NormInterval found = cold_norm(w.weight, grid, NormMethod::kCholesky);
      EXPECT_NEAR(found.upper, norm, kExactConv * norm);
      EXPECT_NEAR(found.lower, norm, kExactConv * norm);
      const NormInterval estimate = cold_norm(w.weight, grid, NormMethod::kEstimated);
      EXPECT_NEAR(estimate.upper, norm, 1e-3 * norm);  // eight power steps choose the frequency
    }
  }
}

// What docs/numerics.md promises of kernel 3 by the shorter side of the grid, for weights without a
// preferred frequency, on the average over ten of them and at most.
TEST(ZeroPaddedConvNorm, SlackIsAsDocumented) {
  struct Promise {
    int64_t side;
    double average, most;
  };
  for (const Promise& p : {Promise{7, 0.06, 0.1}, {10, 0.03, 0.06}, {14, 0.02, 0.03}}) {
    double sum = 0, most = 0;
    constexpr int kDraws = 10;
    for (uint64_t seed = 0; seed < kDraws; ++seed) {
      const ConvGrid grid{p.side, p.side, ConvPadding::kZero};
      const at::Tensor w = Rng(seed).fork("slack").normal({8, 2, 3, 3}, at::kDouble);
      const double slack =
          cold_norm(w, grid, NormMethod::kCholesky).upper / convolution_norm(w, grid) - 1;
      sum += slack;
      most = std::max(most, slack);
    }
    EXPECT_LE(sum / kDraws, p.average) << p.side;
    EXPECT_LE(most, p.most) << p.side;
    RecordProperty(c10::str("slack_", p.side), c10::str(sum / kDraws, " ", most));
  }
}

// The lower end tells how much of the bound is slack.
TEST(ZeroPaddedConvNorm, TheLowerEndIsNearTheNorm) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const ConvGrid grid{10, 10, ConvPadding::kZero};
    const at::Tensor w = Rng(seed).normal({8, 2, 3, 3}, at::kDouble);
    const double norm = convolution_norm(w, grid);
    EXPECT_GE(cold_norm(w, grid, NormMethod::kCholesky).lower, 0.93 * norm);
  }
}

// [1, 0, -1] on two pixels: taps meet on a circle of two and cancel, on the line they do not.
TEST(ZeroPaddedConvNorm, ACircleAsShortAsTheGridWouldNotProve) {
  at::Tensor w = at::zeros({1, 1, 3, 3}, at::kDouble);
  w[0][0][1][0] = 1.0;
  w[0][0][1][2] = -1.0;
  EXPECT_EQ(cold_norm(w, {1, 2, ConvPadding::kCircular}, NormMethod::kEstimated).lower, 0.0);
  EXPECT_GE(cold_norm(w, {1, 2, ConvPadding::kZero}, NormMethod::kCholesky).upper, 1.0);
}

TEST(ConvNormUpdates, FollowWeightsThatTrainingMoves) {
  for (const ConvPadding padding : {ConvPadding::kZero, ConvPadding::kCircular}) {
    const ConvGrid grid{6, 7, padding};
    const ConvFrequencies frequencies(3, grid);
    at::Tensor w = Rng(1).normal({4, 3, 3, 3}, at::kFloat) * 0.2;
    NormPair pair = empty_conv_pair(4, 3);
    for (uint64_t step = 0; step < 15; ++step) {
      const NormInterval found =
          update_conv_norm(w, frequencies, pair, NormMethod::kCholesky, 1e-3);
      const double norm = convolution_norm(w, grid);
      EXPECT_GE(found.upper, norm) << step;
      EXPECT_LE(found.lower, norm) << step;
      if (padding == ConvPadding::kCircular) {
        EXPECT_LE(found.upper, norm * 1.003) << step;
      }
      const NormInterval cold = cold_norm(w, grid, NormMethod::kCholesky, 1e-3);
      EXPECT_NEAR(found.upper, cold.upper, 3e-3 * cold.upper) << step;
      w += Rng(2).fork(step).normal(w.sizes(), at::kFloat) * 0.02;
    }
  }
}

// A pair of another weight's frequency and vectors, and one that a cast has broken.
TEST(ConvNormUpdates, AWrongPairIsStillABound) {
  const ConvGrid grid{5, 5, ConvPadding::kCircular};
  const ConvFrequencies frequencies(3, grid);
  const at::Tensor w = Rng(4).normal({3, 3, 3, 3}, at::kDouble);
  const double norm = convolution_norm(w, grid);
  for (const double value : {1.0, 1e9, -3.0, std::numeric_limits<double>::infinity()}) {
    NormPair pair = empty_conv_pair(3, 3);
    pair.left.fill_(value);
    pair.right.fill_(1.0);
    const NormInterval found =
        update_conv_norm(w, frequencies, pair, NormMethod::kCholesky, kConvTolerance);
    EXPECT_GE(found.upper, norm * (1 - kConvSvdError)) << value;
    EXPECT_LE(found.upper, norm * (1 + kExactConv)) << value;
  }
}

TEST(ConvNormUpdates, ZeroAndNonFiniteWeights) {
  const ConvGrid grid{3, 4, ConvPadding::kZero};
  const ConvFrequencies frequencies(3, grid);
  NormPair pair = empty_conv_pair(2, 3);
  pair.right.fill_(1.0);
  const NormInterval zero = update_conv_norm(at::zeros({2, 3, 3, 3}), frequencies, pair,
                                             NormMethod::kCholesky, kConvTolerance);
  EXPECT_EQ(zero.upper, 0.0);
  EXPECT_EQ(pair.right.abs().sum().item<double>(), 0.0);
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    at::Tensor w = at::ones({2, 3, 3, 3}, at::kDouble);
    w[1][2][0][1] = bad;
    EXPECT_THROW(update_conv_norm(w, frequencies, pair, NormMethod::kCholesky, kConvTolerance),
                 NumericsError);
  }
}

// The derivative of the proven bound, entry by entry.
TEST(ConvRuleSlope, IsTheDifferenceOfBounds) {
  constexpr double kStepOfSlope = 1e-5, kSlopeError = 1e-6;
  for (const ConvPadding padding : {ConvPadding::kZero, ConvPadding::kCircular}) {
    for (const auto& [outputs, inputs] : {std::pair{3, 2}, {2, 4}}) {
      const ConvGrid grid{5, 6, padding};
      const ConvRule rule(3, grid, NormMethod::kCholesky, kConvTolerance);
      const at::Tensor w = Rng(7).normal({outputs, inputs, 3, 3}, at::kDouble);
      NormPair pair = rule.empty_pair(w.sizes());
      const NormInterval found = rule.update(w, pair);
      const at::Tensor slope = rule.slope(pair, w);
      EXPECT_NEAR(rule.reached(slope, w, found.lower), found.upper, 1e-8 * found.upper);
      const auto bound = [&](const at::Tensor& weight) {
        return cold_norm(weight, grid, NormMethod::kCholesky).upper;
      };
      for (int64_t k = 0; k < w.numel(); ++k) {
        at::Tensor step = at::zeros_like(w);
        step.view({-1})[k] = kStepOfSlope;
        const double difference = (bound(w + step) - bound(w - step)) / (2 * kStepOfSlope);
        EXPECT_NEAR(slope.view({-1})[k].item<double>(), difference, kSlopeError) << k;
      }
    }
  }
}

TEST(ConvRuleDrift, CoversEveryChange) {
  for (const ConvPadding padding : {ConvPadding::kZero, ConvPadding::kCircular}) {
    const ConvGrid grid{4, 5, padding};
    const ConvRule rule(3, grid, NormMethod::kCholesky, kConvTolerance);
    for (uint64_t seed = 0; seed < 10; ++seed) {
      at::Tensor change = Rng(seed).normal({3, 2, 3, 3}, at::kDouble);
      if (seed % 2 == 1) change = change * change.abs().gt(1.5);  // few taps
      EXPECT_GE(rule.drift(change), convolution_norm(change, grid)) << seed;
    }
    // All taps alike, so that they add up: no norm over all entries would do.
    const at::Tensor flat = at::ones({1, 1, 3, 3}, at::kDouble);
    EXPECT_GE(rule.drift(flat), convolution_norm(flat, grid));
    EXPECT_GT(convolution_norm(flat, grid), 1.5 * flat.norm().item<double>());
    // One tap that is a column: nothing is lost.
    at::Tensor tap = at::zeros({3, 1, 3, 3}, at::kDouble);
    tap.select(3, 1).select(2, 1).fill_(2.0);
    EXPECT_NEAR(rule.drift(tap), convolution_norm(tap, grid), 1e-5);
  }
}

// Each entry rounded by u, with errors of random signs and with errors that add up.
TEST(ConvRuleRounding, GainCoversEveryRoundingOfTheEntries) {
  constexpr double kRoundingUnit = 1e-4;
  double largest = 0;
  for (const ConvPadding padding : {ConvPadding::kZero, ConvPadding::kCircular}) {
    for (const ConvShape& shape : {ConvShape{3, 2, 3, 5, 6}, ConvShape{2, 2, 5, 3, 2}}) {
      const ConvGrid grid{shape.height, shape.width, padding};
      const ConvRule rule(shape.kernel, grid, NormMethod::kCholesky, kConvTolerance);
      for (uint64_t seed = 0; seed < 6; ++seed) {
        const at::Tensor w = Rng(seed).normal(
            {shape.outputs, shape.inputs, shape.kernel, shape.kernel}, at::kDouble);
        const at::Tensor signs = Rng(seed).fork("signs").rademacher(w.sizes(), at::kDouble);
        const at::Tensor error = (seed % 2 == 0 ? w * signs : w.abs()) * kRoundingUnit;
        NormPair pair = rule.empty_pair(w.sizes());
        const double relative =
            convolution_norm(error, grid) / (kRoundingUnit * rule.update(w, pair).upper);
        EXPECT_LE(relative, rule.rounding_gain(w.sizes()));
        largest = std::max(largest, relative);
      }
    }
  }
  EXPECT_GT(largest, 1.5) << "the root of the rank alone would do: the test would see nothing";
}

}  // namespace
}  // namespace contraflow
