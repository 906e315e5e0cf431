// Exact log-likelihoods of flows of images: what they take, and what estimates of them lie around.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "contraflow/data/digits.h"
#include "contraflow/data/sources.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/evaluation/comparison.h"
#include "contraflow/evaluation/exact_cost.h"
#include "contraflow/evaluation/likelihood.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow::testing {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<int64_t> kDigit{1, 8, 8}, kSqueezed{4, 4, 4};

Json conv_block(const std::vector<int64_t>& event, const char* form, const Json& eval_log_det,
                int64_t seed, double lipschitz = 0.8) {
  return {{"type", "contractive_block"},
          {"event", event},
          {"form", form},
          {"net",
           {{"kind", "sequential"},
            {"hidden", {6}},
            {"kernels", {3, 3}},
            {"activation", "elu"},
            {"init_gain", 3.0},
            {"lipschitz", lipschitz}}},
          {"eval_log_det", eval_log_det},
          {"seed", seed}};
}

/// Digits to latents: two blocks on the image, a squeeze, one on what comes of it.
FlowPtr digits_flow(const Json& eval_log_det, bool dequantize = true, double lipschitz = 0.8) {
  Json members = Json::array();
  if (dequantize) {
    members.push_back({{"type", "dequantize"}, {"event", kDigit}, {"levels", {17}}});
    members.push_back({{"type", "logit"}, {"event", kDigit}});
  }
  members.push_back(conv_block(kDigit, "residual", eval_log_det, 1, lipschitz));
  members.push_back(conv_block(kDigit, "monotone", eval_log_det, 2, lipschitz));
  members.push_back({{"type", "squeeze"}, {"event", kDigit}});
  members.push_back(conv_block(kSqueezed, "monotone", eval_log_det, 3, lipschitz));
  const FlowPtr flow =
      build_flow({chain_spec(members), {{"type", "normal"}, {"event", kSqueezed}}});
  flow->to(at::kDouble);
  flow->eval();
  return flow;
}

Json roulette(int64_t exact_terms) {
  return {{"kind", "roulette"}, {"exact_terms", exact_terms}, {"geometric_p", 0.3}};
}

/// Already the first term is drawn, so that the length makes much of the noise.
Json short_roulette() {
  return {{"kind", "roulette"}, {"exact_terms", 0}, {"law", "given"}, {"survival", {0.6, 0.54}}};
}

data::TensorSource digits(int64_t count) {
  const at::Tensor x =
      data::load_digits().x.narrow(0, 0, count).to(at::kDouble).view({count, 1, 8, 8});
  return {"digits", x, {}, {}, Rng(1)};
}

TEST(ExactLikelihood, IsThatOfTheWholeJacobian) {
  const FlowPtr flow = digits_flow("exact", /*dequantize=*/false);
  const at::Tensor x = Rng(5).normal({3, 1, 8, 8}, at::kDouble);
  const auto map = [&](const at::Tensor& v) { return flow->transform()->forward(v).value; };
  const at::Tensor dense = std::get<1>(at::linalg_slogdet(batch_jacobian(map, x)));
  EXPECT_GT(dense.abs().min().item<double>(), 1.0) << "a Jacobian that is no identity";
  const at::Tensor expected = flow->base()->log_prob(map(x)) + dense;
  EXPECT_TRUE(near(flow->log_prob(x), expected, 1e-8));
}

TEST(ExactLikelihood, EstimatesAgreeWithinTheirErrors) {
  const data::TensorSource source = digits(30);
  const FlowPtr exact = digits_flow("exact");
  const LikelihoodReport right = measure_likelihood(*exact, source, 30, {.replicates = 4});
  ASSERT_TRUE(right.probability.has_value()) << "only dequantization is random";
  const std::vector<Json> estimators{
      roulette(3), {{"kind", "adaptive"}, {"tolerance", 1e-4}}, {{"kind", "krylov"}, {"steps", 8}}};
  for (const Json& estimator : estimators) {
    const FlowPtr flow = digits_flow(estimator);
    const LikelihoodReport report = measure_likelihood(*flow, source, 30, {.replicates = 4});
    EXPECT_FALSE(report.probability.has_value());
    // The noise in integers is the same draw for both.
    const double error = std::hypot(report.probe_error(), report.roulette_error());
    EXPECT_GT(error, 0.0);
    EXPECT_LT(std::abs(report.nll.mean - right.nll.mean), 4 * error + report.bias_bound)
        << estimator;
    EXPECT_GT(std::abs(report.nll.mean - right.nll.mean), 1e-3 * error) << "it is an estimate";
  }
}

TEST(ExactLikelihood, TheBatchChangesNothing) {
  const data::TensorSource source = digits(23);
  const FlowPtr flow = digits_flow("exact");
  const LikelihoodReport whole = measure_likelihood(*flow, source, 23, {.replicates = 2});
  for (const int64_t batch : {1, 5}) {
    std::vector<int64_t> seen;
    const LikelihoodReport parts =
        measure_likelihood(*flow, source, 23, {.replicates = 2, .batch = batch},
                           [&](int64_t rows) { seen.push_back(rows); });
    EXPECT_EQ(std::ssize(seen), (23 + batch - 1) / batch);
    EXPECT_NEAR(parts.nll.mean, whole.nll.mean, 1e-9);
    EXPECT_NEAR(parts.nll.standard_error, whole.nll.standard_error, 1e-9);
    EXPECT_NEAR(parts.probability->mean, whole.probability->mean, 1e-9);
  }
}

TEST(ExactLikelihood, APairedDifferenceHasASmallerError) {
  const data::TensorSource source = digits(60);
  const auto feed = [&source] {
    return RowFeed{"digits",
                   [&source](int64_t first, int64_t most) {
                     const int64_t begin = std::min<int64_t>(first, 60);
                     return begin == 60 ? data::Batch{.x = at::empty({0, 1, 8, 8}, at::kDouble)}
                                        : source.rows(begin, std::min<int64_t>(60, begin + most));
                   },
                   [](int64_t rows) { return static_cast<double>(rows) / 60.0; }};
  };
  const FlowPtr a = digits_flow("exact");
  const FlowPtr b = digits_flow("exact", /*dequantize=*/true, 0.78);  // nearly the same
  const data::Columns columns{.event_shape = kDigit, .levels = 17, .image = kDigit};
  const ComparisonReport report = compare(*a, *b, columns, feed(), {.replicates = 2, .batch = 7});
  EXPECT_EQ(report.rows, 60);
  EXPECT_LT(report.difference.standard_error, 0.2 * report.unpaired_error());
  EXPECT_GT(std::abs(report.difference.mean), 0.0);
}

TEST(ExactLikelihood, SamplesComeWithoutOne) {
  const FlowPtr flow = digits_flow("exact");
  const SampleWithLogProb with = flow->sample_and_log_prob(3, {.rng = Rng(4)});
  const SampleWithLogProb without =
      flow->sample_and_log_prob(3, {.rng = Rng(4), .wants_log_prob = false});
  EXPECT_TRUE(with.log_prob.defined());
  EXPECT_FALSE(without.log_prob.defined());
  EXPECT_TRUE(without.sample.equal(with.sample));
  EXPECT_TRUE(without.error_bound.equal(with.error_bound));
  const Context plain{.rng = Rng(1), .hints = {.wants_log_det = false}};
  const at::Tensor x = Rng(5).normal({2, 1, 8, 8}, at::kDouble);
  const FlowPtr bare = digits_flow("exact", /*dequantize=*/false);
  const TransformPtr block = leaves_of(bare->transform()).front().transform;
  const at::NoGradGuard no_grad;
  const TransformOutput value = block->forward(x, plain);
  EXPECT_FALSE(value.log_det.defined());
  EXPECT_TRUE(value.value.equal(block->forward(x).value));
}

// ---------------------------------------------------------------------------------- the error

double square(double value) { return value * value; }

TEST(NoiseShares, PartsMakeTheError) {
  const data::TensorSource source = digits(40);
  const FlowPtr flow = digits_flow(roulette(1));
  const LikelihoodReport r = measure_likelihood(*flow, source, 40, {.replicates = 6});
  EXPECT_NEAR(r.noise.dequantization + r.noise.probe + r.noise.roulette, 1.0, 1e-12);
  EXPECT_GT(r.noise.probe, 0.0);
  EXPECT_GT(r.noise.roulette, 0.0);
  EXPECT_GT(r.noise.dequantization, 0.0);
  EXPECT_NEAR(square(r.data_error()) + square(r.dequantization_error()) + square(r.probe_error()) +
                  square(r.roulette_error()),
              square(r.nll.standard_error), 1e-12 * square(r.nll.standard_error));
}

TEST(NoiseShares, WhatIsNotThereHasNone) {
  const data::TensorSource source = digits(10);
  const LikelihoodReport exact =
      measure_likelihood(*digits_flow("exact"), source, 10, {.replicates = 2});
  EXPECT_EQ(exact.noise.dequantization, 1.0);
  EXPECT_EQ(exact.probe_error() + exact.roulette_error(), 0.0);
  const LikelihoodReport krylov =
      measure_likelihood(*digits_flow({{"kind", "krylov"}}), source, 10, {.replicates = 2});
  EXPECT_GT(krylov.probe_error(), 0.0);
  EXPECT_EQ(krylov.roulette_error(), 0.0);
}

// The shares of probes and roulette are those of the variances that many draws show.
TEST(NoiseShares, AreThoseOfManyDraws) {
  constexpr int64_t kRows = 20, kDraws = 32;
  const at::Tensor x = Rng(5).normal({kRows, 1, 8, 8}, at::kDouble);
  const auto variance = [&](const Json& estimator) {
    const FlowPtr flow = digits_flow(estimator, /*dequantize=*/false);
    const auto scores =
        score_batch(*flow, {.x = x}, {.replicates = kDraws, .rng = Rng(9).fork("draws")});
    return scores.standard_error.square() * static_cast<double>(kDraws);
  };
  const double all = variance(short_roulette()).sum().item<double>();
  const double probe = variance({{"kind", "adaptive"}, {"tolerance", 1e-5}}).sum().item<double>();
  const FlowPtr flow = digits_flow(short_roulette(), /*dequantize=*/false);
  NoiseShares mean;
  constexpr int kSeeds = 6;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const NoiseShares one = noise_shares(*flow, {.x = x}, at::zeros({kRows}, at::kDouble),
                                         {.rng = Rng(seed).fork("some")});
    EXPECT_EQ(one.dequantization, 0.0) << "there is none";
    mean.probe += one.probe / kSeeds;
    mean.roulette += one.roulette / kSeeds;
  }
  EXPECT_GT(probe / all, 0.1);
  EXPECT_LT(probe / all, 0.9);
  EXPECT_NEAR(mean.probe, probe / all, 0.1);
  EXPECT_NEAR(mean.roulette, 1.0 - probe / all, 0.1);
}

// ----------------------------------------------------------------------------------- the cost

TEST(ExactCost, ScalesAreFound) {
  const std::vector<ScaleFacts> scales = scale_facts(*digits_flow("exact"));
  ASSERT_EQ(scales.size(), 2);
  EXPECT_EQ(scales[0].event, kDigit);
  EXPECT_EQ(scales[0].blocks, 2);
  EXPECT_EQ(scales[0].radius, 2) << "two kernels of 3";
  EXPECT_TRUE(scales[0].has_radius);
  EXPECT_EQ(scales[0].cost.features, 64);
  EXPECT_EQ(scales[0].cost.products, 25);
  EXPECT_EQ(scales[0].decompositions, 3) << "a residual block has one matrix, a monotone one two";
  EXPECT_EQ(scales[0].parameters, 2 * (1 * 6 * 9 + 6 + 6 * 1 * 9 + 1));
  EXPECT_EQ(scales[1].event, kSqueezed);
  EXPECT_EQ(scales[1].cost.products, 4 * 16) << "no more than there are features";
  const ExactCost cost = exact_cost(*digits_flow("exact"));
  EXPECT_EQ(cost.blocks, 3);
  EXPECT_EQ(cost.products, 2 * 25 + 64);
  EXPECT_EQ(cost.bytes_per_row, 8 * (3 * 64 * 64 + 5 * 64 * 64));
}

TEST(ExactCost, TheBatchFollowsFromMemory) {
  const auto flow_of = [](const Json& eval_log_det) {
    const std::vector<int64_t> event{3, 32, 32};
    const Json block = conv_block(event, "residual", eval_log_det, 1);
    return build_flow({chain_spec(Json::array({block})), {{"type", "normal"}, {"event", event}}});
  };
  const FlowPtr exact = flow_of("exact"), other = flow_of(roulette(2));
  EXPECT_TRUE(evaluates_exactly(*exact));
  EXPECT_FALSE(evaluates_exactly(*other));
  EXPECT_EQ(rows_per_chunk(*other, 0), rows_per_chunk(3072));
  const int64_t rows = rows_per_chunk(*exact, 0), bytes = exact_cost(*exact).bytes_per_row;
  EXPECT_GT(bytes, int64_t{4} * 3 * 3072 * 3072);
  EXPECT_GE(rows, 1);
  EXPECT_TRUE(rows == 1 || rows * bytes <= int64_t{1} << 30);
  EXPECT_EQ(rows_per_chunk(*exact, 77), 77);
}

TEST(ExactCost, MemoryThatRunsOutNamesTheBatch) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer ends the program at such a size";
#endif
  const FlowPtr flow = digits_flow("exact");
  const auto work = [] { at::empty({int64_t{1} << 44}, at::kDouble); };
  const std::string text =
      error_of<MemoryError>([&] { with_memory(memory_use("evaluate", *flow, 4096), work); });
  EXPECT_THAT(text, ::testing::HasSubstr("4,096 images [1, 8, 8] with exact log-determinants"));
  EXPECT_THAT(text, ::testing::HasSubstr("Lower --batch."));
}

}  // namespace
}  // namespace contraflow::testing
