// The optimum itself, on profiles without a network.
#include "contraflow/log_det/optimal_law.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/rng.h"

namespace contraflow {
namespace {

double product(const TailProfile& profile, const std::vector<double>& survival) {
  return expected_cost(profile, survival) * expected_variance(profile, survival);
}

// Tail energies that fall by `ratio`, not evenly: some grow from one term to the next.
TailProfile profile_of(uint64_t seed, int64_t terms, double ratio, double probe_variance) {
  TailProfile out{.fixed_cost = 7, .probe_variance = probe_variance};
  const Rng rng(seed);
  for (int64_t k = 0; k < terms; ++k) {
    out.energy.push_back(std::pow(ratio, k) * (0.3 + rng.uniform_at(k, 0)));
    out.cost.push_back(rng.uniform_at(k, 1) < 0.5 ? 1 : 2);
  }
  return out;
}

// A feasible law near `survival`: every probability moved, then sorted.
std::vector<double> moved(std::vector<double> survival, double size, const Rng& rng) {
  for (size_t k = 0; k < survival.size(); ++k) {
    const double step = size * (rng.uniform_at(static_cast<int64_t>(k), 0) - 0.5);
    survival[k] = std::min(1.0, survival[k] * std::exp(step));
  }
  std::sort(survival.rbegin(), survival.rend());
  return survival;
}

TEST(OptimalLaw, NoFeasibleLawIsBetter) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const double ratio = 0.1 + 0.02 * static_cast<double>(seed);
    const TailProfile profile = profile_of(seed, 12, ratio, seed % 4 == 0 ? 0.01 : 0.4);
    const std::vector<double> survival = optimal_survival(profile);
    ASSERT_EQ(survival.size(), 12U);
    EXPECT_TRUE(std::is_sorted(survival.rbegin(), survival.rend()));
    EXPECT_GT(survival.back(), 0.0);
    EXPECT_LE(survival.front(), 1.0);
    const double least = product(profile, survival);
    for (uint64_t k = 0; k < 500; ++k) {
      for (const double size : {0.02, 0.3, 3.0}) {
        const auto other = moved(survival, size, Rng(99).fork(seed).fork(k));
        EXPECT_GE(product(profile, other), least * (1 - 1e-12)) << seed;
      }
    }
  }
}

// S_1 = 1, S_2 = 1/4, one pass a term and V_probe = 1/2: only the second term is random, and the
// product (8 + p)(1/2 + (1/p - 1)/4) is least at p = sqrt(8).
TEST(OptimalLaw, ClosedFormOfTwoTerms) {
  const TailProfile sure{{1.0, 0.25}, {1, 1}, 7, 0.5};
  EXPECT_EQ(optimal_survival(sure), (std::vector<double>{1.0, 1.0}));
  // With V_probe = 4: (8 + p)(3.75 + .25 / p) is least at p^2 = 8 / 15.
  const TailProfile noisy{{1.0, 0.25}, {1, 1}, 7, 4.0};
  const std::vector<double> survival = optimal_survival(noisy);
  EXPECT_NEAR(survival[1], std::sqrt(8.0 * 0.25 / 3.75), 1e-12);
}

TEST(OptimalLaw, PoolsTermsWhoseTailsGrow) {
  const TailProfile profile{{1.0, 0.01, 0.04, 0.001}, {1, 1, 1, 1}, 7, 1.0};
  const std::vector<double> survival = optimal_survival(profile);
  EXPECT_EQ(survival[1], survival[2]);  // the second term alone would make the variance larger
  EXPECT_LT(survival[3], survival[2]);
}

}  // namespace
}  // namespace contraflow
