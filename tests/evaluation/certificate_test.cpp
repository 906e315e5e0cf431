#include "contraflow/evaluation/certificate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/data/sources.h"
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

}  // namespace
}  // namespace contraflow
