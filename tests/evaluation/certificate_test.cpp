#include "contraflow/evaluation/certificate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "contraflow/data/sources.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/evaluation/block_facts.h"
#include "contraflow/evaluation/leaf_call.h"
#include "contraflow/evaluation/local_bound.h"
#include "contraflow/models/presets.h"

namespace contraflow {
namespace {

BlockCertificate good_block() {
  return {.name = "block 1",
          .upper = 0.9,
          .lower = 0.8,
          .proven = true,
          .worst_error = 1e-9,
          .worst_bound = 1e-6};
}

TEST(CliVerdict, FollowsFromWhatIsKnown) {
  EXPECT_EQ(good_block().verdict(), Verdict::kCertified);
  BlockCertificate block = good_block();
  block.proven = false;
  EXPECT_EQ(block.verdict(), Verdict::kNotProven);
  block = good_block();
  block.upper = 1.0;
  EXPECT_EQ(block.verdict(), Verdict::kFailed);
  block = good_block();
  block.within_bounds = false;
  EXPECT_EQ(block.verdict(), Verdict::kFailed);
  block = good_block();
  block.lower = 0.91;  // refutes the proof
  EXPECT_EQ(block.verdict(), Verdict::kFailed);
}

TEST(CliVerdict, OfAFlowIsThatOfItsWorstBlock) {
  Certificate certificate{.blocks = {good_block(), good_block()}};
  EXPECT_EQ(certificate.verdict(), Verdict::kCertified);
  certificate.blocks[1].proven = false;
  EXPECT_EQ(certificate.verdict(), Verdict::kNotProven);
  certificate.within_bounds = false;
  EXPECT_EQ(certificate.verdict(), Verdict::kFailed);
}

class CliCertificate : public ::testing::TestWithParam<const char*> {};

TEST_P(CliCertificate, HoldsForEveryForm) {
  ContractiveOptions options = models::contractive_preset(GetParam());
  options.blocks = 2;
  options.net.hidden = {8};
  options.net.depth = 1;
  options.standardize = false;  // needs data first
  options.actnorm = false;
  const FlowPtr flow = build_flow(contractive_spec(options, {.event = 2}));
  flow->to(at::kDouble);
  const data::ToySource source("moons", Rng(1), at::kDouble);
  const Certificate certificate = certify(*flow, source, 100, Rng(2));
  EXPECT_EQ(certificate.verdict(), Verdict::kCertified);
  EXPECT_EQ(certificate.rows, 100);
  EXPECT_LE(certificate.worst_error, certificate.worst_bound);
  for (const BlockCertificate& block : certificate.blocks) {
    EXPECT_LE(block.lower, block.upper);
    EXPECT_GT(block.lower, 0.0);
    EXPECT_LE(block.worst_error, block.worst_bound);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CliCertificate,
                         ::testing::Values("monotone", "residual", "idensenet", "implicit"));

/// Blocks of slopes up to 0.9, whose solves are as loose as given.
FlowPtr steep_flow(double tolerance, int64_t blocks = 10) {
  ContractiveOptions options = models::contractive_preset("monotone");
  options.blocks = blocks;
  options.net.init_gain = 8.0;
  options.standardize = false;
  options.tolerance = tolerance;
  const FlowPtr flow = build_flow(contractive_spec(options, {.event = 2}));
  flow->to(at::kDouble);
  return flow;
}

// The exact inverse is that of the same weights, solved to 1e-13.
TEST(LocalBounds, HoldForTheExactInverseAndAreNotFarFromIt) {
  const double kLoose = 1e-6;
  const FlowPtr flow = steep_flow(kLoose), exact = steep_flow(1e-13);
  const data::ToySource source("moons", Rng(1), at::kDouble);
  const Certificate certificate = certify(*flow, source, 200, Rng(2));
  EXPECT_EQ(certificate.verdict(), Verdict::kCertified);
  EXPECT_TRUE(certificate.has_useful_bound());
  const at::NoGradGuard no_grad;
  const at::Tensor x = source.rows(0, 200).x;
  const at::Tensor z = flow->transform()->forward(x).value;
  const at::Tensor back = flow->transform()->inverse(z).value;
  const at::Tensor preimage = exact->transform()->inverse(z).value;
  const auto farthest = [](const at::Tensor& a, const at::Tensor& b) {
    return at::linalg_vector_norm(a - b, 2, at::IntArrayRef{1}).max().item<double>();
  };
  EXPECT_LE(farthest(back, preimage), certificate.worst_bound);
  EXPECT_LE(farthest(x, preimage), certificate.worst_bound);
  // The constants of the whole space multiply to a factor that leaves nothing to know.
  EXPECT_GT(kLoose * flow->transform()->inverse_lipschitz().value(), 1.0);
  EXPECT_LT(certificate.worst_bound, 1e-2);
}

// Of one block the bound is the slope of its way back, and some direction goes that far.
TEST(LocalBounds, OfOneBlockAreItsSlope) {
  const FlowPtr flow = steep_flow(1e-13, 1);
  const at::NoGradGuard no_grad;
  const at::Tensor x = data::ToySource("moons", Rng(1), at::kDouble).rows(0, 50).x;
  const std::vector<LeafCall> there = calls_of(*flow->transform(), x, {}, /*inverse=*/false);
  const at::Tensor z = there.back().output;
  const std::vector<LeafCall> back = calls_of(*flow->transform(), z, {}, /*inverse=*/true);
  ProvenNets nets;
  for (const LeafCall& call : there) {
    const ContractiveMap* map = call.transform->contractive();
    if (map != nullptr) nets[map] = {map->net()->euclidean_proof(), map->net()->curvature()};
  }
  constexpr double kApart = 1e-7;
  const at::Tensor bound =
      local_bound(there, 0, back, at::full({x.size(0)}, kApart, at::kDouble), nets).bound;
  at::Tensor farthest = at::zeros_like(bound);
  for (int k = 0; k < 64; ++k) {
    const double angle = 2.0 * M_PI * k / 64.0;
    const at::Tensor step = kApart * at::tensor({std::cos(angle), std::sin(angle)}, at::kDouble);
    farthest = at::maximum(farthest, event_norm(flow->transform()->inverse(z + step).value - x));
  }
  EXPECT_TRUE(farthest.le(bound).all().item<bool>());
  EXPECT_GT((farthest / bound).min().item<double>(), 0.97);
}

// A table's curves have no constant on the whole line, and yet a bound.
TEST(LocalBounds, PassThroughCurvesOfColumns) {
  using Json = nlohmann::ordered_json;
  const Json block{{"type", "contractive_block"},
                   {"event", 2},
                   {"form", "monotone"},
                   {"net", {{"kind", "dense"}, {"depth", 1}, {"growth", 4}}}};
  const FlowPtr flow = build_flow(
      {chain_spec({{{"type", "marginal_spline"}, {"event", 2}, {"knots", {8}}}, block, block}),
       {{"type", "normal"}, {"event", 2}}});
  flow->to(at::kDouble);
  const data::ToySource source("moons", Rng(1), at::kDouble);
  flow->transform()->prepare(source.rows(0, 2000).x);
  const Certificate certificate = certify(*flow, source, 300, Rng(2));
  EXPECT_EQ(certificate.verdict(), Verdict::kCertified);
  EXPECT_TRUE(certificate.has_useful_bound());
  EXPECT_TRUE(certificate.unbounded.empty());
  EXPECT_GT(certificate.worst_bound, certificate.worst_error);
  EXPECT_EQ(certificate.own_errors.size(), 2U);
}

// Kinks have no bound on how fast slopes change: the constants of the whole space are left.
TEST(LocalBounds, NeedASmoothNetwork) {
  ContractiveOptions options = models::contractive_preset("residual");
  options.blocks = 2;
  options.net.hidden = {8};
  options.net.activation = Activation::kCRelu;
  options.standardize = false;
  options.actnorm = false;
  const FlowPtr flow = build_flow(contractive_spec(options, {.event = 2}));
  flow->to(at::kDouble);
  const data::ToySource source("moons", Rng(1), at::kDouble);
  const Certificate certificate = certify(*flow, source, 50, Rng(2));
  EXPECT_EQ(certificate.verdict(), Verdict::kCertified);
  EXPECT_LE(certificate.worst_error, certificate.worst_bound);
  EXPECT_EQ(contractive_blocks(*flow)[0].map->net()->curvature(), INFINITY);
}

TEST(CertificateProgress, TellsOfRowsAsTheyAreDone) {
  const FlowPtr flow = steep_flow(1e-6);
  const data::ToySource source("moons", Rng(1), at::kDouble);
  std::vector<int64_t> told;
  certify(*flow, source, 300, Rng(2), [&told](int64_t rows) { told.push_back(rows); });
  EXPECT_GE(told.size(), 3U);
  EXPECT_EQ(told.back(), 300);
}

}  // namespace
}  // namespace contraflow
