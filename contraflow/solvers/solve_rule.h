#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <limits>

#include "contraflow/solvers/anderson.h"
#include "contraflow/solvers/fixed_point.h"

namespace contraflow {

/// What both forms of the solver decide by.
struct SolveRule {
  double contraction;
  double tolerance;
  double rounding;  ///< relative rounding of one evaluation, times the norm of (1, ..., 1)
  int64_t memory;   ///< past steps mixed; 0 = plain iteration
  int64_t d;
  double order;      ///< of the norm of residuals and sizes
  double euclidean;  ///< |e|_2 is at most this times its norm

  static constexpr double kRoundingMargin = 16;
  static constexpr double kMostRelaxation = 64;

  /// Of rows of `start`; DomainError for a constant that is none of a contraction.
  static SolveRule of(const at::Tensor& start, const LipschitzBound& bound, double tolerance,
                      const SolverOptions& options, double roundoff);
};

}  // namespace contraflow
