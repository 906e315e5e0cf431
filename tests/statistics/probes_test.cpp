#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/log_det/series.h"
#include "tests/support/statistics.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

at::Tensor signs(int64_t probes, int64_t batch, int64_t dim, const Rng& rng) {
  return draw_probes(ProbeKind::kRademacher, probes, batch, dim, at::kDouble, rng);
}

TEST(OrthogonalProbes, AverageToTheIdentityOverAGroup) {
  for (const int64_t dim : {1, 5, 43, 64}) {
    const int64_t group = 64;  // a multiple of every order used here
    const at::Tensor v = signs(1, group, dim, Rng(3))[0];
    EXPECT_TRUE(at::equal(v.abs(), at::ones_like(v)));
    EXPECT_TRUE(testing::near(v.t().mm(v) / group, at::eye(dim, at::kDouble), 0.0));
  }
  // Several probes of a row count like rows.
  const at::Tensor v = signs(4, 16, 43, Rng(4)).reshape({64, 43});
  EXPECT_TRUE(testing::near(v.t().mm(v) / 64, at::eye(43, at::kDouble), 0.0));
}

TEST(OrthogonalProbes, EachProbeIsAUniformChoiceOfSigns) {
  constexpr int64_t kDraws = 20'000;
  at::Tensor patterns = at::empty({kDraws}, at::kLong);
  for (int64_t k = 0; k < kDraws; ++k) {
    const at::Tensor v = signs(1, 7, 3, Rng(5).fork(static_cast<uint64_t>(k)))[0][6];
    patterns[k] = ((v > 0).to(at::kLong) * at::tensor({4, 2, 1}, at::kLong)).sum();
  }
  for (int64_t p = 0; p < 8; ++p) {
    EXPECT_TRUE(testing::z_test(patterns.eq(p).to(at::kDouble), 1.0 / 8));
  }
}

TEST(OrthogonalProbes, ASplitBatchDrawsWhatTheWholeDraws) {
  const at::Tensor whole = signs(3, 100, 5, Rng(6));
  EXPECT_TRUE(at::equal(whole.slice(1, 37), signs(3, 63, 5, Rng(6).rows_from(37))));
}

}  // namespace
}  // namespace contraflow
