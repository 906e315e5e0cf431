#include "contraflow/distributions/compare.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/bases/normal.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/statistics.h"
#include "tests/support/stub_transform.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using testing::near;
using testing::stub;

FlowPtr stub_flow(testing::StubTransform::Settings settings) {
  auto flow = std::make_shared<Flow>(
      stub(settings), std::make_shared<Normal>(NormalOptions{.event = settings.event}));
  flow->to(at::kDouble);
  return flow;
}

// A residual block with one noisy probe; `seed` of its weights.
FlowPtr block_flow(int64_t seed, const LogDetOptions& log_det) {
  ContractiveBlockOptions options{.event = 3, .eval_log_det = log_det, .seed = seed};
  options.net.init_gain = 4.0;
  std::vector<TransformPtr> members = {std::make_shared<ContractiveBlock>(options)};
  auto flow = std::make_shared<Flow>(std::make_shared<Chain>(std::move(members)),
                                     std::make_shared<Normal>(NormalOptions{.event = 3}));
  flow->to(at::kDouble);
  return flow;
}

const at::Tensor kRows = Rng(1).normal({50, 3}, at::kDouble);

TEST(PairedLogProb, IsTheDifferenceOfTheLogProbabilities) {
  const FlowPtr a = block_flow(1, ExactLogDet{}), b = block_flow(2, ExactLogDet{});
  const PairedLogProb pair = paired_log_prob(*a, *b, kRows, {}, 1, /*is_random=*/false);
  EXPECT_TRUE(near(pair.difference, a->log_prob(kRows) - b->log_prob(kRows), 1e-12));
  EXPECT_TRUE(near(pair.a, a->log_prob(kRows), 1e-12));
  EXPECT_TRUE(near(pair.standard_error, at::zeros({50}, at::kDouble), 0.0));
  EXPECT_TRUE(near(pair.bias_bound, at::zeros({50}, at::kDouble), 0.0));
}

TEST(PairedLogProb, AModelAgainstItselfHasNoNoise) {
  const LogDetOptions noisy = RussianRoulette{.probe = ProbeKind::kGaussian};
  const FlowPtr a = block_flow(1, noisy);
  const PairedLogProb pair = paired_log_prob(*a, *block_flow(1, noisy), kRows, {}, 3);
  EXPECT_TRUE(near(pair.difference, at::zeros({50}, at::kDouble), 0.0));
  EXPECT_TRUE(near(pair.standard_error, at::zeros({50}, at::kDouble), 0.0));
  EXPECT_GT(a->log_prob_with_error(kRows).standard_error.min().item<double>(), 0.0);
}

// Weights that differ by 1 %: the shared probes take nine tenths of the noise, at least.
TEST(PairedLogProb, SharedRandomNumbersReduceTheNoise) {
  const LogDetOptions noisy = RussianRoulette{.exact_terms = 4, .probe = ProbeKind::kGaussian};
  const FlowPtr a = block_flow(1, noisy), b = block_flow(1, noisy);
  {
    const at::NoGradGuard guard;
    for (const at::Tensor& p : b->parameters()) p.mul_(0.99);
    b->prepare({});
  }
  const PairedLogProb pair = paired_log_prob(*a, *b, kRows, {}, 16);
  const at::Tensor own = a->log_prob_with_error(kRows, {}, 16).standard_error;
  const at::Tensor other = b->log_prob_with_error(kRows, {.rng = Rng(9)}, 16).standard_error;
  const double unpaired = (own.square() + other.square()).mean().sqrt().item<double>();
  EXPECT_LT(pair.standard_error.square().mean().sqrt().item<double>(), 0.1 * unpaired);
}

TEST(PairedLogProb, ErrorIsThatOfTheDifferenceAndAPlantedErrorIsSeen) {
  // Independent noise of the two stubs would share its draws: only one of them is noisy.
  constexpr int64_t kCount = 4000;
  const FlowPtr a = stub_flow({.event = 2, .scale = 1.3, .noise = 0.5});
  const FlowPtr b = stub_flow({.event = 2, .scale = 1.3});
  const at::Tensor x = Rng(2).normal({kCount, 2}, at::kDouble);
  const PairedLogProb pair = paired_log_prob(*a, *b, x, {.rng = Rng(3)}, 10);
  EXPECT_TRUE(testing::z_test(pair.difference, 0.0));
  EXPECT_FALSE(testing::z_test(pair.difference + 0.05, 0.0, 8.0));
  EXPECT_NEAR(pair.standard_error.square().mean().sqrt().item<double>(), 0.5 / std::sqrt(10.0),
              0.01);
}

TEST(PairedLogProb, BiasBoundsAdd) {
  const FlowPtr a = stub_flow({.event = 2, .bias = 0.25}), b = stub_flow({.event = 2, .bias = 0.5});
  const at::Tensor x = at::zeros({4, 2}, at::kDouble);
  EXPECT_TRUE(
      near(paired_log_prob(*a, *b, x, {}, 2).bias_bound, at::full({4}, 0.75, at::kDouble), 1e-12));
}

TEST(PairedLogProb, OneReplicateOfSomethingRandomHasNoKnownError) {
  const FlowPtr a = stub_flow({.event = 2});
  const at::Tensor x = at::zeros({4, 2}, at::kDouble);
  EXPECT_TRUE(paired_log_prob(*a, *a, x, {}, 1).standard_error.isnan().all().item<bool>());
}

TEST(PairedLogProb, RefusesModelsOfOtherEvents) {
  const FlowPtr a = stub_flow({.event = 2}), b = stub_flow({.event = 3});
  const at::Tensor x = at::zeros({4, 2}, at::kDouble);
  EXPECT_NE(error_of<ShapeError>([&] {
              paired_log_prob(*a, *b, x, {}, 2);
            }).find("Compare models of the same columns"),
            std::string::npos);
  EXPECT_NE(error_of<DomainError>([&] { paired_log_prob(*a, *a, x, {}, 0); }).find("replicates"),
            std::string::npos);
  EXPECT_NE(error_of<ShapeError>([&] { paired_log_prob(*b, *b, x, {}, 2); }).find("x"),
            std::string::npos);
}

}  // namespace
}  // namespace contraflow
