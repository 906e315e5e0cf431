#include "contraflow/evaluation/estimator_facts.h"

#include <gtest/gtest.h>

#include <cmath>

namespace contraflow {
namespace {

constexpr double kHalf = 0.70710678118654752;
constexpr BlockForm kResidual{1, 0, 1, 1};
constexpr BlockForm kMonotone{kHalf, kHalf, kHalf, -kHalf};

EstimatorFacts geometric(double p, const BlockForm& form, double kappa) {
  return estimator_facts(RussianRoulette{.exact_terms = 2, .geometric_p = p}, form, kappa);
}

TEST(CliEstimator, GeometricVarianceIsFiniteUpToItsLimit) {
  EXPECT_TRUE(geometric(0.5, kResidual, std::sqrt(0.5) - 1e-6).finite_variance);
  EXPECT_FALSE(geometric(0.5, kResidual, std::sqrt(0.5) + 1e-6).finite_variance);
  // Only every second power is left, so terms fall twice as fast.
  EXPECT_TRUE(geometric(0.5, kMonotone, std::pow(0.5, 0.25) - 1e-6).finite_variance);
  EXPECT_FALSE(geometric(0.5, kMonotone, std::pow(0.5, 0.25) + 1e-6).finite_variance);
}

TEST(CliEstimator, PoissonVarianceIsInfinite) {
  const RussianRoulette poisson{
      .exact_terms = 3, .law = RouletteLaw::kPoisson, .poisson_mean = 2.0};
  const EstimatorFacts facts = estimator_facts(poisson, kResidual, 0.1);
  EXPECT_FALSE(facts.finite_variance);
  EXPECT_NEAR(facts.expected_terms, 3.0 + 2.0, 1e-9);  // the mean is the sum of the tails
}

TEST(CliEstimator, ExpectedTermsOfTheGeometricLaw) {
  EXPECT_NEAR(geometric(0.25, kResidual, 0.5).expected_terms, 2.0 + 4.0, 1e-9);
}

TEST(CliEstimator, TruncationIsBiasedAndExactIsNot) {
  EXPECT_FALSE(estimator_facts(TruncatedSeries{}, kResidual, 0.9).unbiased);
  EXPECT_TRUE(estimator_facts(ExactLogDet{}, kResidual, 0.9).unbiased);
}

}  // namespace
}  // namespace contraflow
