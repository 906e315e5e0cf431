#include "contraflow/networks/lanczos.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"

namespace contraflow {
namespace {

at::Tensor with_spectrum(const at::Tensor& values) {
  const int64_t n = values.size(0);
  const at::Tensor q = std::get<0>(at::linalg_qr(Rng(3).normal({n, n}, at::kDouble)));
  return q.mm(at::diag(values)).mm(q.t()).contiguous();
}

TEST(Lanczos, ValueComesFromBelowAndIsNearInFewSteps) {
  // Forty eigenvalues within 1 % of the top: power iteration would take hundreds of steps.
  at::Tensor values = at::linspace(0.1, 0.9, 100, at::kDouble);
  values.narrow(0, 60, 40).copy_(at::linspace(0.99, 1.0, 40, at::kDouble));
  const at::Tensor g = with_spectrum(values);
  Lanczos lanczos(g, Rng(4).normal({100}, at::kDouble));
  double before = 0.0;
  for (const int64_t steps : {2, 8, 20}) {
    lanczos.extend_to(steps);
    EXPECT_EQ(lanczos.steps(), steps);
    const double value = lanczos.top().value;
    EXPECT_LE(value, 1.0 + 1e-12);
    EXPECT_GE(value, before - 1e-12);
    before = value;
  }
  EXPECT_GE(before, 1.0 - 2e-3);
}

TEST(Lanczos, WholeSpaceGivesTheEigenvector) {
  const at::Tensor g = with_spectrum(at::linspace(0.5, 2.0, 12, at::kDouble));
  Lanczos lanczos(g, at::ones({12}, at::kDouble));
  lanczos.extend_to(50);
  const Lanczos::Top top = lanczos.top();
  EXPECT_NEAR(top.value, 2.0, 1e-12);
  EXPECT_LE((g.mv(top.vector) - top.value * top.vector).norm().item<double>(), 1e-9);
}

TEST(Lanczos, StopsWhereTheSpaceEnds) {
  Lanczos lanczos(at::eye(6, at::kDouble) * 3.0, at::ones({6}, at::kDouble));
  lanczos.extend_to(6);
  EXPECT_EQ(lanczos.steps(), 1);
  EXPECT_DOUBLE_EQ(lanczos.top().value, 3.0);
}

}  // namespace
}  // namespace contraflow
