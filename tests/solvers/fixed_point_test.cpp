#include "contraflow/solvers/fixed_point.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/core/rng.h"
#include "contraflow/core/roundoff.h"
#include "contraflow/solvers/tensor_fixed_point.h"

namespace contraflow {
namespace {

constexpr double kTolerance = 1e-6;

// f(w) = kappa Q sin(w) + c with Q orthogonal: Lipschitz constant kappa, root found to rounding.
struct Problem {
  at::Tensor q, c;
  double kappa;

  Problem(int64_t rows, int64_t d, double k) : kappa(k) {
    const at::Tensor g = Rng(1).normal({d, d}, at::kDouble);
    const auto [u, s, v] = at::linalg_svd(g);
    q = u.mm(v);
    c = Rng(2).normal({rows, d}, at::kDouble);
  }
  FixedPointMap map() const {
    return [this](const at::Tensor& w, const at::Tensor& rows) {
      return kappa * at::sin(w).mm(q.to(w.options())) +
             (rows.defined() ? c.index_select(0, rows) : c).to(w.options());
    };
  }
  at::Tensor root() const {
    at::Tensor w = c;
    for (int k = 0; k < 40'000 && kappa > 0; ++k) w = map()(w, {});
    return w;
  }
};

class FixedPoint : public ::testing::TestWithParam<std::tuple<SolverMethod, double>> {};

TEST_P(FixedPoint, BoundIsAboveTheTrueErrorAndBelowTheTolerance) {
  const auto [method, kappa] = GetParam();
  for (const int64_t d : {1, 2, 7}) {
    const Problem problem(64, d, kappa);
    const Solution s =
        solve_fixed_point(problem.map(), problem.c, kappa, kTolerance, {.method = method});
    ASSERT_EQ(s.report.status, SolveStatus::kConverged);
    const at::Tensor error = (s.value - problem.root()).norm(2, 1);
    EXPECT_TRUE((error <= s.report.error_bound).all().item<bool>());
    EXPECT_LE(s.report.error_bound.max().item<double>(), kTolerance * (1 + 1e-6));
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, FixedPoint,
                         ::testing::Combine(::testing::Values(SolverMethod::kBanach,
                                                              SolverMethod::kAnderson),
                                            ::testing::Values(0.0, 0.5, 0.9, 0.98)));

// What a card runs, on tensors of the host: the same decisions. A mixture of nearly parallel steps
// magnifies rounding, so of mixed points only the certificates are compared.
TEST_P(FixedPoint, TensorsSolveAsTheHostDoes) {
  const auto [method, kappa] = GetParam();
  for (const int64_t d : {1, 2, 7}) {
    for (const double tolerance : {1e-3, 1e-9}) {
      const Problem problem(64, d, kappa);
      const SolverOptions options{.method = method, .memory = 3};
      const Solution host = solve_fixed_point(problem.map(), problem.c, kappa, tolerance, options);
      const Solution tensors =
          solve_fixed_point_on_tensors(problem.map(), problem.c, kappa, tolerance, options);
      ASSERT_EQ(tensors.report.status, SolveStatus::kConverged);
      const at::Tensor gap = (tensors.value - host.value).norm(2, 1);
      const at::Tensor& bound = tensors.report.error_bound;
      EXPECT_TRUE((gap <= bound + host.report.error_bound).all().item<bool>());
      EXPECT_LE(bound.max().item<double>(), tolerance * (1 + 1e-6));
      if (method == SolverMethod::kBanach) {
        EXPECT_LE(gap.max().item<double>(), 1e-11);
        EXPECT_TRUE(at::allclose(bound, host.report.error_bound, 1e-3, 1e-13));
      }
      // Looked at every fourth; a mixture of other rounding may take a few steps more.
      const int64_t more = method == SolverMethod::kBanach ? 3 : 8;
      EXPECT_LE(tensors.report.iterations, host.report.iterations + more);
    }
  }
}

TEST(TensorFixedPoint, FailuresAreThoseOfTheHost) {
  const Problem problem(8, 3, 0.9);
  const auto status = [](const FixedPointMap& f, const at::Tensor& start, double tolerance,
                         const SolverOptions& options) {
    return solve_fixed_point_on_tensors(f, start, 0.9, tolerance, options).report.status;
  };
  const FixedPointMap expanding = [](const at::Tensor& w, const at::Tensor&) { return 3 * w + 1; };
  const FixedPointMap broken = [](const at::Tensor& w, const at::Tensor&) {
    return w / 0.0 - w / 0.0;
  };
  const at::Tensor ones = at::ones({4, 2}, at::kDouble);
  for (const SolverMethod method : {SolverMethod::kBanach, SolverMethod::kAnderson}) {
    EXPECT_EQ(status(expanding, ones, kTolerance, {.method = method}), SolveStatus::kDiverged);
    EXPECT_EQ(status(broken, ones, kTolerance, {.method = method}), SolveStatus::kDiverged);
    EXPECT_EQ(status(problem.map(), problem.c.to(at::kFloat), 1e-12, {.method = method}),
              SolveStatus::kStalled);
  }
  EXPECT_EQ(status(problem.map(), problem.c, 1e-12, {.max_iterations = 3}),
            SolveStatus::kMaxIterations);
}

TEST(FixedPointSolve, ARowDoesNotDependOnItsNeighbours) {
  const Problem problem(32, 3, 0.9);
  const Solution whole = solve_fixed_point(problem.map(), problem.c, 0.9, kTolerance, {});
  for (const int64_t row : {0, 7, 31}) {
    const at::Tensor index = at::tensor({row});
    const FixedPointMap one = [&](const at::Tensor& w, const at::Tensor&) {
      return problem.map()(w, index);
    };
    const Solution alone =
        solve_fixed_point(one, problem.c.index_select(0, index), 0.9, kTolerance, {});
    EXPECT_LE((alone.value - whole.value[row]).abs().max().item<double>(), 1e-13);
  }
}

TEST(FixedPointSolve, AndersonNeedsFewerEvaluations) {
  const Problem problem(64, 4, 0.98);
  const auto evaluations = [&](SolverMethod method) {
    return solve_fixed_point(problem.map(), problem.c, 0.98, kTolerance, {.method = method})
        .report.iterations;
  };
  EXPECT_LT(4 * evaluations(SolverMethod::kAnderson), 3 * evaluations(SolverMethod::kBanach));
}

TEST(FixedPointSolve, ANonContractionIsReported) {
  const FixedPointMap expanding = [](const at::Tensor& w, const at::Tensor&) { return 3 * w + 1; };
  const Solution s = solve_fixed_point(expanding, at::ones({4, 2}, at::kDouble), 0.9, kTolerance,
                                       {.method = SolverMethod::kBanach});
  EXPECT_EQ(s.report.status, SolveStatus::kDiverged);
  EXPECT_THROW(s.report.require_converged("test", kTolerance), ConvergenceError);
}

TEST(FixedPointSolve, NotANumberIsADivergence) {
  const FixedPointMap broken = [](const at::Tensor& w, const at::Tensor&) {
    return w / 0.0 - w / 0.0;
  };
  EXPECT_EQ(
      solve_fixed_point(broken, at::ones({1, 1}, at::kDouble), 0.5, kTolerance, {}).report.status,
      SolveStatus::kDiverged);
}

TEST(FixedPointSolve, TooFewIterationsAreReportedWithTheBoundReached) {
  const Problem problem(8, 3, 0.9);
  const Solution s = solve_fixed_point(problem.map(), problem.c, 0.9, 1e-12, {.max_iterations = 3});
  EXPECT_EQ(s.report.status, SolveStatus::kMaxIterations);
  const at::Tensor error = (s.value - problem.root()).norm(2, 1);
  EXPECT_TRUE((error <= s.report.error_bound).all().item<bool>());
}

TEST(FixedPointSolve, Float32StopsAtItsRounding) {
  const Problem problem(8, 3, 0.9);
  const Solution s = solve_fixed_point(problem.map(), problem.c.to(at::kFloat), 0.9, 1e-12, {});
  EXPECT_EQ(s.report.status, SolveStatus::kStalled);
  EXPECT_LE(s.report.error_bound.max().item<double>(), 1e-4);
}

// A map whose products are rounded to bfloat16 has a fixed point of its own, off that of the exact
// map: the bound covers the distance when the solver knows the roundoff, and only then.
TEST(FixedPointSolve, TheRoundoffOfTheMapIsInTheBound) {
  const Problem problem(64, 3, 0.8);
  const FixedPointMap narrow = [&](const at::Tensor& w, const at::Tensor& rows) {
    return problem.map()(w.to(at::kBFloat16).to(w.options()), rows)
        .to(at::kBFloat16)
        .to(w.options());
  };
  const at::Tensor root = problem.root();
  const auto is_covered = [&](double tolerance, double roundoff) {
    const Solution s = solve_fixed_point(narrow, problem.c, 0.8, tolerance, {}, roundoff);
    return ((s.value - root).norm(2, 1) <= s.report.error_bound).all().item<bool>();
  };
  EXPECT_TRUE(is_covered(2.0, unit_roundoff(at::kBFloat16)));
  EXPECT_TRUE(is_covered(1e-6, unit_roundoff(at::kBFloat16)));  // stalls, and says what it has
  EXPECT_FALSE(is_covered(1e-6, 0.0));
}

// Slopes of +-0.99 that alternate every quarter, in float32 with the rounding of hidden values of
// size 64: a plain step may change the residual by less than that rounding.
TEST(FixedPointSolve, AMapThatHardlyContractsAndRoundsIsSolved) {
  const at::Tensor c = 4 * Rng(3).uniform({4096, 1}, at::kFloat);
  const FixedPointMap map = [&](const at::Tensor& w, const at::Tensor& rows) {
    const at::Tensor wave = ((2 * w).remainder(1.0) - 0.5).abs() * 0.495;
    const at::Tensor rounded = (wave + 64) - 64;
    return rounded + (rows.defined() ? c.index_select(0, rows) : c);
  };
  for (const SolverMethod method : {SolverMethod::kBanach, SolverMethod::kAnderson}) {
    const Solution s = solve_fixed_point(map, c, 0.99, 4e-3, {.method = method});
    EXPECT_EQ(s.report.status, SolveStatus::kConverged);
    const Solution t = solve_fixed_point_on_tensors(map, c, 0.99, 4e-3, {.method = method});
    EXPECT_EQ(t.report.status, SolveStatus::kConverged);
  }
}

}  // namespace
}  // namespace contraflow
