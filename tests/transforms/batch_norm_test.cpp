#include "contraflow/transforms/batch_norm.h"

#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::near;

at::Tensor rows(uint64_t seed, double mean, double deviation) {
  return mean + deviation * Rng(seed).normal({4000, 2}, at::kDouble);
}

at::Tensor buffer(const BatchNorm& norm, const char* name) { return norm.named_buffers()[name]; }

TEST(BatchNorm, FirstBatchIsNormalised) {
  BatchNorm norm({.event = 2, .epsilon = 1e-9});
  norm.to(at::kDouble);
  const at::Tensor x = rows(1, 5.0, 0.3);
  EXPECT_TRUE(near(norm.forward(x).value, x, 1e-8)) << "almost the identity before";
  EXPECT_TRUE(norm.prepare_needs_data());
  norm.prepare(x);
  const at::Tensor z = norm.forward(x).value;
  EXPECT_TRUE(near(z.mean(0), at::zeros({2}), 1e-9));
  EXPECT_TRUE(near(z.var(0), at::ones({2}), 1e-6));
}

TEST(BatchNorm, StatisticsFollowTheBatchesThatAreDue) {
  BatchNorm norm({.event = 2, .momentum = 0.25, .update_every = 3});
  norm.to(at::kDouble);
  const at::Tensor first = rows(1, 0.0, 1.0), later = rows(2, 4.0, 2.0);
  norm.prepare(first);
  const at::Tensor mean = buffer(norm, "mean").clone(), variance = buffer(norm, "variance").clone();
  for (int call = 0; call < 2; ++call) {
    EXPECT_FALSE(norm.prepare_needs_data());
    norm.prepare({});
    EXPECT_TRUE(at::equal(buffer(norm, "mean"), mean));
  }
  EXPECT_TRUE(norm.prepare_needs_data());
  norm.prepare(later);
  EXPECT_TRUE(near(buffer(norm, "mean"), 0.75 * mean + 0.25 * later.mean(0), kRounding));
  EXPECT_TRUE(near(buffer(norm, "variance"), 0.75 * variance + 0.25 * later.var(0), kRounding));
  EXPECT_FALSE(norm.prepare_needs_data());
}

TEST(BatchNorm, InvertsAndCountsItsStatisticsInTheLogDet) {
  BatchNorm norm({.event = 2, .epsilon = 1e-3});
  norm.to(at::kDouble);
  const at::Tensor x = rows(1, 5.0, 0.3);
  norm.prepare(x);
  {
    const at::NoGradGuard guard;
    norm.named_parameters()["log_scale"].copy_(at::tensor({0.5, -0.2}, at::kDouble));
    norm.named_parameters()["shift"].fill_(0.7);
  }
  const TransformOutput out = norm.forward(x);
  const at::Tensor expected = 0.3 - (x.var(0) + 1e-3).log().sum() / 2;
  EXPECT_TRUE(near(out.log_det, expected.expand({4000}), kRounding));
  EXPECT_TRUE(near(norm.inverse(out.value).value, x, kRounding));
}

TEST(BatchNorm, ARowDoesNotDependOnItsBatch) {
  BatchNorm norm({.event = 2});
  norm.to(at::kDouble);
  const at::Tensor x = rows(1, 5.0, 0.3);
  norm.prepare(x);
  EXPECT_TRUE(
      at::equal(norm.forward(x).value.slice(0, 0, 3), norm.forward(x.slice(0, 0, 3)).value));
}

TEST(BatchNorm, PostponedUpdatesNeedNoData) {
  BatchNorm norm({.event = 2, .update_every = 2});
  norm.to(at::kDouble);
  norm.defer_calibration();
  EXPECT_TRUE(norm.prepare_needs_data()) << "the first batch cannot be done without";
  norm.prepare(rows(1, 0.0, 1.0));
  norm.prepare({});
  EXPECT_TRUE(norm.prepare_needs_data());
  norm.defer_calibration();
  EXPECT_FALSE(norm.prepare_needs_data());
}

TEST(BatchNorm, ABatchOfOneRowAndOptionsOutOfRange) {
  BatchNorm norm({.event = 2});
  norm.to(at::kDouble);
  EXPECT_THAT(error_of<DomainError>([&] { norm.prepare(rows(1, 0, 1).slice(0, 0, 1)); }),
              HasSubstr("at least two rows"));
  EXPECT_THAT(error_of<ConfigError>([] { BatchNorm({.event = 2, .momentum = 1.5}); }),
              HasSubstr("momentum"));
  EXPECT_THAT(error_of<ConfigError>([] { BatchNorm({.event = 2, .update_every = 1}); }),
              HasSubstr("update_every"));
}

}  // namespace
}  // namespace contraflow
