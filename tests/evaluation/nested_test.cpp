// Flows whose blocks are inside other transforms: everything about them is still found.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contraflow/data/sources.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/evaluation/block_facts.h"
#include "contraflow/evaluation/certificate.h"
#include "contraflow/evaluation/likelihood.h"

namespace contraflow::testing {
namespace {

using Json = nlohmann::ordered_json;

Json block(const char* form, const Json& log_det, const char* norm = "cholesky") {
  return {{"type", "contractive_block"},
          {"event", 2},
          {"form", form},
          {"net", {{"kind", "dense"}, {"depth", 1}, {"growth", 4}, {"norm", norm}}},
          {"eval_log_det", log_det}};
}

/// chain [ scale, inverse [ chain [ block, block ] ] ]
FlowPtr nested(const Json& log_det, const char* norm = "cholesky") {
  const Json inner =
      chain_spec({block("monotone", log_det), block("inverse_residual", log_det, norm)});
  const FlowSpec spec{
      chain_spec({{{"type", "scale"}, {"event", 2}}, {{"type", "inverse"}, {"transform", inner}}}),
      {{"type", "normal"}, {"event", 2}}};
  const FlowPtr flow = build_flow(spec);
  flow->to(at::kDouble);
  return flow;
}

data::ToySource moons() { return {"moons", Rng(1), at::kDouble}; }

TEST(EvaluationNested, ARouletteInsideReportsItsError) {
  const FlowPtr flow = nested({{"kind", "roulette"}});
  const LikelihoodReport report = measure_likelihood(*flow, moons(), 50, {.replicates = 4});
  EXPECT_EQ(report.replicates, 4);
  EXPECT_GT(report.noise_error, 0.0);
  const LogProbWithError scores = score_batch(*flow, moons().rows(0, 10));
  EXPECT_TRUE(scores.standard_error.gt(0).all().item<bool>());
}

TEST(EvaluationNested, ExactLogDeterminantsHaveNone) {
  const LikelihoodReport report = measure_likelihood(*nested("exact"), moons(), 50, {});
  EXPECT_EQ(report.replicates, 1);
  EXPECT_EQ(report.noise_error, 0.0);
}

TEST(EvaluationNested, BlocksInsideAreProven) {
  const FlowPtr flow = nested("exact");
  const Certificate certificate = certify(*flow, moons(), 50, Rng(2));
  ASSERT_EQ(certificate.blocks.size(), 2);
  for (const BlockCertificate& found : certificate.blocks) {
    EXPECT_TRUE(found.proven);
    EXPECT_GT(found.lower, 0.0);
    EXPECT_LE(found.lower, found.upper);
    EXPECT_GT(found.worst_bound, 0.0);
  }
  EXPECT_EQ(certificate.blocks[0].form, "monotone");
  EXPECT_EQ(certificate.verdict(), Verdict::kCertified);
}

TEST(EvaluationNested, AnEstimatedNormInsideLeavesTheFlowUnproven) {
  const Certificate certificate = certify(*nested("exact", "estimated"), moons(), 20, Rng(2));
  EXPECT_EQ(certificate.verdict(), Verdict::kNotProven);
}

TEST(EvaluationNested, FactsCoverBlocksInside) {
  const FlowPtr flow = nested({{"kind", "roulette"}});
  const auto blocks = contractive_blocks(*flow);
  ASSERT_EQ(blocks.size(), 2);
  EXPECT_EQ(blocks[1].name, "block 2");
  EXPECT_EQ(blocks[1].path, "1.inner.1");
  EXPECT_EQ(block_matrices(*flow).size(), 2);
  EXPECT_FALSE(block_laws(*flow).empty());
}

}  // namespace
}  // namespace contraflow::testing
