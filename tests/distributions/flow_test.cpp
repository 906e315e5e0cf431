#include "contraflow/distributions/flow.h"

#include "contraflow/bases/diagonal_normal.h"
#include "contraflow/bases/normal.h"
#include "contraflow/bases/uniform.h"
#include "contraflow/core/estimate.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/dequantize.h"
#include "contraflow/transforms/logit.h"
#include "contraflow/transforms/standardize.h"
#include "tests/support/statistics.h"
#include "tests/support/stub_transform.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::near;
using testing::stub;
using testing::StubTransform;

FlowPtr flow_of(TransformPtr transform) {
  const int64_t dim = transform->latent_shape()[0];
  auto flow = std::make_shared<Flow>(std::move(transform),
                                     std::make_shared<Normal>(NormalOptions{.event = dim}));
  flow->to(at::kDouble);
  return flow;
}

SampleArguments seeded(uint64_t seed, double temperature = 1.0) {
  return {Rng(seed), temperature, {}};
}

at::Tensor some_x(int64_t rows = 6) { return Rng(1).normal({rows, 2}, at::kDouble); }

TEST(Flow, LogProbIsBasePlusLogDet) {
  const FlowPtr flow = flow_of(stub({.scale = 3.0}));
  const at::Tensor x = some_x();
  const at::Tensor expected = flow->base()->log_prob(3.0 * x) + 2.0 * std::log(3.0);
  EXPECT_TRUE(near(flow->log_prob(x), expected, kRounding));
  EXPECT_EQ(flow->log_prob(x.slice(0, 0, 1)).sizes(), at::IntArrayRef({1}));
}

// Standardisation is part of the density: it integrates to one over the raw data's space.
TEST(Flow, StandardisedDensityIntegratesToOne) {
  const FlowPtr flow = flow_of(std::make_shared<Standardize>(StandardizeOptions{.event = 2}));
  flow->prepare(some_x(500) * at::tensor({0.3, 4.0}, at::kDouble) + 1.0);
  const at::Tensor grid = testing::midpoint_grid(-40.0, 40.0, 1600, 2);
  EXPECT_NEAR(flow->log_prob(grid).exp().sum().item<double>() * 0.05 * 0.05, 1.0, 1e-9);
}

TEST(Flow, ExactFlowHasAnErrorOfExactlyZero) {
  const FlowPtr flow = flow_of(std::make_shared<ActNorm>(ActNormOptions{.event = 2}));
  flow->to(at::kFloat);
  const at::Tensor x = some_x().to(at::kFloat);
  flow->prepare(x);
  const LogProbWithError out = flow->log_prob_with_error(x, {}, 7);
  EXPECT_TRUE(at::equal(out.standard_error, at::zeros({6}, at::kDouble)));
  EXPECT_TRUE(at::equal(out.bias_bound, at::zeros({6}, at::kDouble)));
  EXPECT_EQ(out.replicates, 7);
  EXPECT_TRUE(near(out.log_prob, flow->log_prob(x), 1e-5));
}

TEST(Flow, ErrorBarsCoverTheTruth) {
  const FlowPtr flow = flow_of(stub({.noise = 0.7}));
  const at::Tensor x = some_x(4000);
  const LogProbWithError out = flow->log_prob_with_error(x, {{}, Rng(3)}, 8);
  const at::Tensor truth = flow->base()->log_prob(x);
  const double t = student_t_quantile(0.95, 7);
  const at::Tensor covered = (out.log_prob - truth).abs().le(t * out.standard_error);
  EXPECT_NEAR(covered.to(at::kDouble).mean().item<double>(), 0.95,
              4.0 * std::sqrt(0.95 * 0.05 / 4000));
  EXPECT_NEAR(out.standard_error.square().mean().item<double>(), 0.7 * 0.7 / 8, 0.005);
}

TEST(Flow, ReplicatesDoNotDependOnTheBatch) {
  const FlowPtr flow = flow_of(stub({.noise = 0.7}));
  const at::Tensor x = some_x(6);
  const LogProbWithError whole = flow->log_prob_with_error(x, {{}, Rng(3)}, 4);
  const LogProbWithError tail =
      flow->log_prob_with_error(x.slice(0, 2), {{}, Rng(3).rows_from(2)}, 4);
  EXPECT_TRUE(near(whole.log_prob.slice(0, 2), tail.log_prob, kRounding));
  EXPECT_TRUE(near(whole.standard_error.slice(0, 2), tail.standard_error, kRounding));
}

TEST(Flow, BiasBoundIsPassedOn) {
  const FlowPtr flow = flow_of(stub({.bias = 0.125}));
  EXPECT_TRUE(
      near(flow->log_prob_with_error(some_x()).bias_bound, at::full({6}, 0.125), kRounding));
}

TEST(Flow, OutsideTheSupportIsMinusInfinityWithoutError) {
  const Flow flow(stub({}), std::make_shared<Uniform>(UniformOptions{.event = 2}));
  const at::Tensor x = at::tensor({0.5, 0.5, 2.0, 0.5}, at::kFloat).view({2, 2});
  const LogProbWithError out = flow.log_prob_with_error(x);
  EXPECT_EQ(out.log_prob[0].item<double>(), 0.0);
  EXPECT_EQ(out.log_prob[1].item<double>(), -INFINITY);
  EXPECT_TRUE(at::equal(out.standard_error, at::zeros({2}, at::kDouble)));
}

TEST(Flow, SamplesPushedForwardAreTheBase) {
  const FlowPtr flow = flow_of(stub({.scale = 0.25}));
  const at::Tensor x = flow->sample(100'000, seeded(4));
  const at::Tensor z = flow->transform()->forward(x).value;
  EXPECT_TRUE(testing::z_test(z, 0.0));
  EXPECT_TRUE(testing::z_test(z.square(), 1.0));
  EXPECT_FALSE(x.requires_grad());
}

TEST(Flow, SampleAndLogProbAgreesWithLogProb) {
  auto chain = std::make_shared<Chain>(std::vector<TransformPtr>{
      std::make_shared<Logit>(LogitOptions{.event = 2, .lower = {-9}, .upper = {9}}),
      std::make_shared<ActNorm>(ActNormOptions{.event = 2})});
  const FlowPtr flow = flow_of(chain);
  flow->prepare(some_x(100));
  const SampleWithLogProb out = flow->sample_and_log_prob(50, seeded(5, 0.7));
  EXPECT_TRUE(near(out.log_prob, flow->log_prob(out.sample), 1e-9));
  EXPECT_TRUE(at::equal(out.error_bound, at::zeros({50}, at::kDouble)));
  EXPECT_TRUE(at::equal(out.sample, flow->sample(50, seeded(5, 0.7))));
}

TEST(Flow, SampleReportsTheSolveError) {
  const FlowPtr flow = flow_of(stub({.solve_error = 1e-6}));
  EXPECT_TRUE(near(flow->sample_and_log_prob(3).error_bound, at::full({3}, 1e-6), kRounding));
}

TEST(Flow, TemperatureShrinksTheSamples) {
  const FlowPtr flow = flow_of(stub({}));
  const at::Tensor warm = flow->sample(100, seeded(6));
  const at::Tensor cold = flow->sample(100, seeded(6, 0.5));
  EXPECT_TRUE(near(cold, 0.5 * warm, kRounding));
  EXPECT_THAT(error_of<DomainError>([&] { flow->sample(3, seeded(6, 0.0)); }),
              HasSubstr("temperature"));
}

TEST(Flow, ConditionTravels) {
  const FlowPtr flow = flow_of(stub({.shift = 2.0, .condition = 1}));
  EXPECT_EQ(flow->condition_shape(), std::vector<int64_t>{1});
  const at::Tensor condition = at::ones({6, 1}, at::kDouble);
  const at::Tensor x = some_x();
  EXPECT_TRUE(near(flow->log_prob(x, {.condition = condition}), flow->base()->log_prob(x + 2.0),
                   kRounding));
  const at::Tensor with = flow->sample(6, {.rng = Rng(7), .condition = condition});
  const at::Tensor without = flow->sample(6, {.rng = Rng(7), .condition = 0.0 * condition});
  EXPECT_TRUE(near(with, without - 2.0, kRounding));
  EXPECT_THAT(error_of<ShapeError>([&] { flow->sample(6); }),
              HasSubstr("[Flow.sample] condition: expected [6, 1], got no tensor. "));
  at::Tensor bad = condition.clone();
  bad[3] = NAN;
  EXPECT_THAT(error_of<DomainError>([&] { flow->log_prob(x, {.condition = bad}); }),
              HasSubstr("condition: expected finite values, got nan at row 3"));
}

TEST(Flow, GradientsReachTransformAndBase) {
  Flow flow(std::make_shared<ActNorm>(ActNormOptions{.event = 2}),
            std::make_shared<DiagonalNormal>(DiagonalNormalOptions{.event = 2}));
  const at::Tensor x = (some_x() + 1.0).to(at::kFloat).requires_grad_(true);
  flow.log_prob(x).sum().backward();
  EXPECT_EQ(flow.parameters().size(), 4U);
  for (const at::Tensor& p : flow.parameters()) EXPECT_GT(p.grad().norm().item<double>(), 0.0);
  EXPECT_GT(x.grad().norm().item<double>(), 0.0);
}

TEST(Flow, BadRowsAreNamed) {
  const FlowPtr flow = flow_of(stub({}));
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    at::Tensor x = some_x();
    x[4][1] = bad;
    EXPECT_THAT(error_of<DomainError>([&] { flow->log_prob(x); }), HasSubstr("at row 4, column 1"));
    EXPECT_THAT(error_of<DomainError>([&] { flow->log_prob_with_error(x); }), HasSubstr("row 4"));
    EXPECT_THAT(error_of<DomainError>([&] { flow->prepare(x); }), HasSubstr("row 4"));
  }
}

TEST(Flow, BadCallsAreErrors) {
  const FlowPtr flow = flow_of(std::make_shared<ActNorm>(ActNormOptions{.event = 2}));
  const at::Tensor x = some_x();
  EXPECT_THAT(error_of<ShapeError>([&] { flow->log_prob(x[0]); }),
              HasSubstr("[Flow.log_prob] x: expected [B] + [2], got [2]"));
  EXPECT_THAT(error_of<ShapeError>([&] { flow->log_prob(x.slice(0, 0, 0)); }),
              HasSubstr("at least one row"));
  EXPECT_THAT(error_of<DtypeError>([&] { flow->log_prob(x.to(at::kFloat)); }),
              HasSubstr("expected double on cpu, got float on cpu"));
  EXPECT_THAT(error_of<DtypeError>([&] { flow->log_prob(x.to(at::kInt)); }), HasSubstr("float32"));
  EXPECT_THAT(error_of<DomainError>([&] { flow->log_prob_with_error(x, {}, 1); }),
              HasSubstr("replicates"));
  EXPECT_THAT(error_of<ShapeError>([&] { flow->sample(0); }), HasSubstr("count"));
  EXPECT_THAT(error_of<ConfigError>(
                  [] { Flow(stub({}), std::make_shared<Normal>(NormalOptions{.event = 3})); }),
              HasSubstr("expected events of shape [2], the latents of the transform, got [3]"));
}

// Dequantized integers: E[p(x + u)] summed over all integers is one.
TEST(Flow, DequantizedProbabilitiesSumToOne) {
  auto chain = std::make_shared<Chain>(std::vector<TransformPtr>{
      std::make_shared<Dequantize>(DequantizeOptions{.event = 1, .levels = {6}}),
      std::make_shared<Logit>(LogitOptions{.event = 1, .alpha = 1e-6})});
  const FlowPtr flow = flow_of(chain);
  constexpr int64_t kDraws = 50'000;
  const at::Tensor x = at::arange(6, at::kDouble).repeat({kDraws}).unsqueeze(1);
  // The base puts 6e-44 beyond logit(1e-6); the sum over six cells of one draw each is one value.
  const at::Tensor p = flow->log_prob(x, {{}, Rng(8)}).exp().view({kDraws, 6}).sum(1);
  EXPECT_TRUE(testing::z_test(p, 1.0));
}

}  // namespace
}  // namespace contraflow
