#include "cli/plot/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace contraflow::plot {
namespace {

using ::testing::ElementsAre;

/// Newton's method stops at a relative step of 1e-13.
constexpr double kQuantileTolerance = 1e-11;

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  const std::vector<double> sorted{1.0, 2.0, 4.0};
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.0), 1.0);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.5), 2.0);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.75), 3.0);
  EXPECT_DOUBLE_EQ(quantile(sorted, 1.0), 4.0);
}

TEST(SortedFinite, LeavesOutTheRest) {
  EXPECT_THAT(sorted_finite(std::vector<double>{3, std::nan(""), 1, HUGE_VAL, -HUGE_VAL}),
              ElementsAre(1, 3));
}

TEST(NormalQuantile, InvertsTheDistributionFunction) {
  for (const double p : {1e-12, 1e-4, 0.025, 0.3, 0.5, 0.7, 0.975, 0.9999}) {
    const double z = normal_quantile(p);
    EXPECT_NEAR(0.5 * std::erfc(-z / std::sqrt(2.0)) / p, 1.0, kQuantileTolerance) << p;
  }
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, kQuantileTolerance);
}

TEST(Smoothed, KeepsConstantsAndLinesAndLowersNoise) {
  const std::vector<double> constant(50, 3.5);
  for (const double value : smoothed(constant, 10)) EXPECT_NEAR(value, 3.5, 1e-12);
  std::vector<double> zigzag;
  for (int i = 0; i < 200; ++i) zigzag.push_back(i % 2 == 0 ? 1.0 : -1.0);
  for (const double value : smoothed(zigzag, 40)) EXPECT_LT(std::abs(value), 0.11);
}

TEST(Smoothed, HasNoLag) {
  std::vector<double> step(201, 0.0);
  std::fill(step.begin() + 101, step.end(), 1.0);
  step[100] = 0.5;
  const std::vector<double> smooth = smoothed(step, 20);
  EXPECT_NEAR(smooth[100], 0.5, 1e-6);
}

TEST(Smoothed, SkipsWhatIsNotFinite) {
  std::vector<double> values(20, 2.0);
  values[7] = std::nan("");
  const std::vector<double> smooth = smoothed(values, 6);
  EXPECT_TRUE(std::isnan(smooth[7]));
  EXPECT_NEAR(smooth[8], 2.0, 1e-12);
}

TEST(KsDistance, OfKnownSamples) {
  const std::vector<double> a{1, 2, 3, 4};
  EXPECT_EQ(ks_distance(a, a), 0.0);
  EXPECT_EQ(ks_distance(a, std::vector<double>{5, 6}), 1.0);
  EXPECT_EQ(ks_distance(a, std::vector<double>{3, 4}), 0.5);
  EXPECT_EQ(ks_distance(std::vector<double>{0, 0, 1, 1}, std::vector<double>{0, 1}), 0.0);
  EXPECT_TRUE(std::isnan(ks_distance(a, {})));
}

TEST(Histogram, IntegratesToTheShareInside) {
  const std::vector<double> sorted{-1.0, 0.0, 0.1, 0.5, 1.0};
  const std::vector<double> density = histogram_density(sorted, {0.0, 1.0}, 4);
  EXPECT_NEAR(std::accumulate(density.begin(), density.end(), 0.0) * 0.25, 0.8, 1e-12);
  EXPECT_NEAR(density[3], 0.8, 1e-12) << "the upper end belongs to the last cell";
}

}  // namespace
}  // namespace contraflow::plot
