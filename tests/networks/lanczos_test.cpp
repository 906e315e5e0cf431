#include "contraflow/networks/lanczos.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"
#include "tests/kernels/dense_matrices.h"

namespace contraflow {
namespace {

using testing::HeldMatrix;
using testing::with_spectrum;

// An iteration with its memory.
struct Iteration {
  Iteration(const at::Tensor& matrix, const at::Tensor& start, int64_t most_steps = 64)
      : g(matrix),
        basis(most_steps + Lanczos::kSpare, matrix.size(0)),
        x(testing::padded_vector(start)),
        lanczos(g.matrix, basis.matrix, start.const_data_ptr<double>()) {}

  double top() { return lanczos.top(x.data_ptr<double>()); }
  at::Tensor vector() const { return x.narrow(0, 0, g.matrix.columns); }

  HeldMatrix g, basis;
  at::Tensor x;
  Lanczos lanczos;
};

TEST(Lanczos, ValueComesFromBelowAndIsNearInFewSteps) {
  // Forty eigenvalues within 1 % of the top: power iteration would take hundreds of steps.
  at::Tensor values = at::linspace(0.1, 0.9, 100, at::kDouble);
  values.narrow(0, 60, 40).copy_(at::linspace(0.99, 1.0, 40, at::kDouble));
  const at::Tensor g = with_spectrum(values);
  Iteration run(g, Rng(4).normal({100}, at::kDouble));
  double before = 0.0;
  for (const int64_t steps : {2, 8, 20}) {
    run.lanczos.extend_to(steps);
    EXPECT_EQ(run.lanczos.steps(), steps);
    const double value = run.top();
    EXPECT_LE(value, 1.0 + 1e-12);
    EXPECT_GE(value, before - 1e-12);
    before = value;
  }
  EXPECT_GE(before, 1.0 - 2e-3);
}

TEST(Lanczos, WholeSpaceGivesTheEigenvector) {
  const at::Tensor g = with_spectrum(at::linspace(0.5, 2.0, 12, at::kDouble));
  Iteration run(g, at::ones({12}, at::kDouble));
  run.lanczos.extend_to(50);
  const double top = run.top();
  EXPECT_NEAR(top, 2.0, 1e-12);
  EXPECT_LE((g.mv(run.vector()) - top * run.vector()).norm().item<double>(), 1e-9);
}

TEST(Lanczos, StopsWhereTheSpaceEnds) {
  Iteration run(at::eye(6, at::kDouble) * 3.0, at::ones({6}, at::kDouble));
  run.lanczos.extend_to(6);
  EXPECT_EQ(run.lanczos.steps(), 1);
  EXPECT_DOUBLE_EQ(run.top(), 3.0);
}

TEST(Lanczos, StopsWhereTheBasisEnds) {
  const at::Tensor g = with_spectrum(at::linspace(0.5, 2.0, 30, at::kDouble));
  Iteration run(g, at::ones({30}, at::kDouble), 7);
  run.lanczos.extend_to(20);
  EXPECT_EQ(run.lanczos.steps(), 7);
  EXPECT_LE(run.top(), 2.0 + 1e-12);
}

TEST(Lanczos, EverySizeWithEveryInstructionSet) {
  for (const int64_t n : testing::dense_sizes()) {
    const at::Tensor g = with_spectrum(at::linspace(0.1, 1.0, n, at::kDouble).square());
    const double largest = n == 1 ? 0.01 : 1.0;
    for (const std::string& isa : kernels::available_isas()) {
      const kernels::ScopedIsa pin(isa);
      Iteration run(g, Rng(4).normal({n}, at::kDouble));
      run.lanczos.extend_to(64);
      const double top = run.top();
      EXPECT_NEAR(top, largest, 1e-9) << isa << n;
      EXPECT_NEAR(run.vector().norm().item<double>(), 1.0, 1e-14) << isa << n;
    }
  }
}

}  // namespace
}  // namespace contraflow
