#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string_view>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/core/vector_norm.h"

namespace contraflow {

/// Both go on with shorter and longer steps where a plain one no longer lowers the residual.
enum class SolverMethod {
  kBanach,    ///< w <- f(w)
  kAnderson,  ///< mixes the last steps; a step is kept only when the residual falls
};

constexpr auto enum_names(SolverMethod) {
  return std::array{std::pair{"banach", SolverMethod::kBanach},
                    std::pair{"anderson", SolverMethod::kAnderson}};
}

struct SolverOptions {
  SolverMethod method = SolverMethod::kAnderson;
  /// Past steps Anderson mixes; never more than the dimension.
  int64_t memory = 4;
  int64_t max_iterations = 2000;
};

template <class Field>
void visit(SolverOptions& o, Field&& field) {
  field("method", o.method, "Fixed-point iteration: banach, or anderson (safeguarded).");
  field("memory", o.memory, closed_interval(1, 8), "Past steps that anderson mixes.");
  field("max_iterations", o.max_iterations, at_least(1),
        "Evaluations of the map before giving up.");
}

enum class SolveStatus {
  kConverged,
  kMaxIterations,
  kStalled,  ///< rounding stops the iteration above the tolerance
  kDiverged,
};

/// Outcome of a solve as data; the caller decides.
struct CF_EXPORT SolveReport {
  SolveStatus status = SolveStatus::kConverged;
  int64_t iterations = 0;  ///< Evaluations of the map, for the slowest sample.
  at::Tensor error_bound;  ///< [b]: certified bound on the Euclidean error of each row.
  /// Throws ConvergenceError naming the worst row, its bound and what to raise.
  void require_converged(std::string_view where, double tolerance) const;
};

struct Solution {
  at::Tensor value;  ///< [b, d]
  SolveReport report;
};

/// f evaluated on w [n, d], the rows `rows` (int64; undefined = all) of the batch.
using FixedPointMap = std::function<at::Tensor(const at::Tensor& w, const at::Tensor& rows)>;

/// Solves w = f(w) row by row for f with Lipschitz constant `contraction` < 1 in the norm of its
/// order.
///
/// Residuals are taken in that norm, in which a plain step cannot raise them; the tolerance and the
/// bounds are Euclidean: |e|_2 <= d^max(0, 1/2 - 1/p) |e|_p.
///
/// Stops      each row when its certified error, contraction |f(w) - w| / (1 - contraction) plus
///            the rounding of both, is at most `tolerance`; rows that are done leave the iteration,
///            so a row's result does not depend on its neighbours.
/// Error      |w - w*| <= |f(w) - w| / (1 - contraction) (Banach); the returned value is f(w).
/// Rounding   `roundoff` is that of the arithmetic in f, where it is larger than that of the type
///            of `start`.
/// Diverged   a residual that is not finite, or that a plain step raises: f is no contraction.
/// Types      float32, float64 on any device. No autograd.
/// Source     Walker & Ni 2011 for Anderson; docs/numerics.md for the safeguard.
CF_EXPORT Solution solve_fixed_point(const FixedPointMap& f, const at::Tensor& start,
                                     const LipschitzBound& contraction, double tolerance,
                                     const SolverOptions& options, double roundoff = 0.0);

}  // namespace contraflow
