// Importance weights: rows of a wrong density stand for those of the right one.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "contraflow/core/rng.h"
#include "contraflow/data/sources.h"
#include "contraflow/data/weights.h"
#include "contraflow/models/presets.h"
#include "contraflow/training/evaluation.h"
#include "contraflow/training/trainer.h"

namespace contraflow {
namespace {

constexpr double kProposal = 2.0, kTarget = 0.8;  // deviations
const double kEntropy = std::log(2 * std::numbers::pi * std::numbers::e) + 2 * std::log(kTarget);

// The target is a normal around (1, 1), the proposal a wider one around (0, 0).
at::Tensor log_gaussian(const at::Tensor& x, double centre, double deviation) {
  return -((x - centre) / deviation).square().sum(1) / 2 - 2 * std::log(deviation);
}

data::SourcePtr source(const char* name, const at::Tensor& x, const at::Tensor& weight) {
  return std::make_shared<data::TensorSource>(name, x, at::Tensor(), weight, Rng(9));
}

data::SourcePtr proposed(const char* name, int64_t rows, bool with_weights) {
  const at::Tensor x = Rng(1).fork(name).normal({rows, 2}, at::kFloat) * kProposal;
  const at::Tensor ratio = (log_gaussian(x, 1.0, kTarget) - log_gaussian(x, 0.0, kProposal)).exp();
  return source(name, x, with_weights ? ratio : at::Tensor());
}

// KL(target, model) by rows of the target itself.
Estimate kl_of_fit(bool with_weights) {
  const FlowPtr flow = models::residual_flow({.event = 2});
  TrainingOptions options;
  options.steps = 400;
  options.batch_size = 100;
  options.adam.learning_rate = 5e-3;
  options.schedule.kind = Schedule::kCosine;
  options.validate_every = 100;
  fit(*flow,
      {proposed("train", 8000, with_weights), proposed("validation", 4000, with_weights), nullptr},
      options);
  const at::Tensor x = Rng(2).normal({20'000, 2}, at::kFloat) * kTarget + 1.0;
  Estimate out = evaluate_loss(*flow, *source("test", x, {}), {.rows = 20'000});
  out.mean -= kEntropy;
  return out;
}

TEST(WeightedRows, RecoverTheDensityTheyStandFor) {
  const Estimate kl = kl_of_fit(true);
  EXPECT_GT(kl.mean, -5 * kl.standard_error);
  EXPECT_LT(kl.mean, 0.03);
  // Without the weights it is the proposal that is learned: KL = 2 log(2/.8) + ... = 1.24 nats.
  const double other = 2 * std::log(kProposal / kTarget) +
                       kTarget * kTarget / (kProposal * kProposal) +
                       2.0 / (2 * kProposal * kProposal) - 1;
  EXPECT_NEAR(kl_of_fit(false).mean, other, 0.1);
}

// The error of a weighted mean is the spread of that mean over samples.
TEST(WeightedRows, StandardErrorIsTheSpreadOfTheMean) {
  constexpr int64_t kTrials = 400;
  std::vector<double> means;
  double squares = 0.0, unweighted = 0.0;
  for (uint64_t k = 0; k < kTrials; ++k) {
    const at::Tensor x = Rng(k).normal({500, 2}, at::kDouble) * kProposal;
    const at::Tensor w = (log_gaussian(x, 1.0, kTarget) - log_gaussian(x, 0.0, kProposal)).exp();
    const Estimate mean = weighted_mean(x.select(1, 0), w);
    means.push_back(mean.mean);
    squares += mean.standard_error * mean.standard_error / kTrials;
    unweighted += std::pow(weighted_mean(x.select(1, 0), {}).standard_error, 2) / kTrials;
  }
  const at::Tensor all = at::tensor(means, at::kDouble);
  const double variance = all.var().item<double>();
  // The variance of 400 trials is known to sqrt(2/400) = 7 %; 4 of these.
  EXPECT_NEAR(squares / variance, 1.0, 0.28);
  EXPECT_GT(std::abs(unweighted / variance - 1.0), 0.28);  // the error without weights is another
  EXPECT_NEAR(all.mean().item<double>(), 1.0, 5 * std::sqrt(variance / kTrials));
}

}  // namespace
}  // namespace contraflow
