// Events with more than one axis: numbers, norms and places count all of them.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/data/domain.h"
#include "contraflow/data/sources.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/evaluation/certificate.h"
#include "contraflow/evaluation/likelihood.h"
#include "contraflow/evaluation/samples.h"
#include "tests/support/tensors.h"

namespace contraflow::testing {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

const std::vector<int64_t> kImage{2, 3, 3};

FlowPtr image_flow() {
  const Json block{{"type", "contractive_block"},
                   {"event", kImage},
                   {"form", "residual"},
                   {"net", {{"kind", "dense"}, {"depth", 1}, {"growth", 4}}},
                   {"eval_log_det", "exact"}};
  const FlowSpec spec{chain_spec({{{"type", "scale"}, {"event", kImage}}, block}),
                      {{"type", "normal"}, {"event", kImage}}};
  const FlowPtr flow = build_flow(spec);
  flow->to(at::kDouble);
  return flow;
}

data::TensorSource images(int64_t count) {
  const at::Tensor x = Rng(3).normal({count, 2, 3, 3}, at::kDouble);
  return {"images", x, {}, {}, Rng(1)};
}

TEST(EvaluationImage, AnEventHasAllItsNumbers) {
  EXPECT_EQ(event_size(*image_flow()), 18);
  EXPECT_EQ((data::Columns{.event_shape = {3, 32, 32}}).dim(), 3072);
}

TEST(EvaluationImage, ChunksLeaveRoomForJacobians) {
  EXPECT_EQ(rows_per_chunk(2), 16384);
  EXPECT_EQ(rows_per_chunk(64), 256);
  EXPECT_EQ(rows_per_chunk(3072), 28);
  EXPECT_EQ(rows_per_chunk(int64_t{1} << 20), 1);
}

TEST(EvaluationImage, LikelihoodIsThatOfTheFlow) {
  const FlowPtr flow = image_flow();
  const data::TensorSource source = images(20);
  const LikelihoodReport report = measure_likelihood(*flow, source, 20, {});
  EXPECT_NEAR(report.nll.mean, -flow->log_prob(source.rows(0, 20).x).mean().item<double>(), 1e-9);
}

TEST(EvaluationImage, TheCertificateTakesNormsOverWholeEvents) {
  const FlowPtr flow = image_flow();
  const Certificate certificate = certify(*flow, images(20), 20, Rng(2));
  ASSERT_EQ(certificate.blocks.size(), 1);
  EXPECT_EQ(certificate.verdict(), Verdict::kCertified);
  EXPECT_GT(certificate.blocks[0].lower, 0.0);
  EXPECT_LE(certificate.worst_error, certificate.worst_bound);
}

TEST(EvaluationImage, SamplesAreImages) {
  const at::Tensor samples = draw_samples(*image_flow(), 5, Rng(1), {});
  EXPECT_EQ(samples.sizes(), at::IntArrayRef({5, 2, 3, 3}));
  EXPECT_EQ(log_prob_at(*image_flow(), samples, {}).size(0), 5);
}

TEST(EvaluationImage, ADomainErrorNamesThePlace) {
  at::Tensor x = at::zeros({2, 2, 3, 3});
  x[1][1][0][2] = 7.5;
  const auto checked = [&] {
    data::check_domain(x, {.event_shape = kImage, .levels = 5}, "images.npy", 10);
  };
  const std::string text = error_of<DomainError>(checked);
  EXPECT_THAT(text, HasSubstr("images.npy, row 11, pixel [1, 0, 2]"));
  EXPECT_THAT(text, HasSubstr("7.5"));
}

TEST(EvaluationImage, AnErrorOfAFlowNamesThePlace) {
  at::Tensor x = at::zeros({3, 2, 3, 3}, at::kDouble);
  x[2][0][1][2] = std::nan("");
  EXPECT_THAT(error_of<DomainError>([&] { image_flow()->log_prob(x); }),
              HasSubstr("row 2, pixel [0, 1, 2]"));
}

}  // namespace
}  // namespace contraflow::testing
