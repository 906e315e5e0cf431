#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "contraflow/transforms/monotone_curve.h"

namespace contraflow {

/// The curve that takes a column to normal scores (transforms/monotone_curve.h).
struct MarginalFit {
  std::vector<double> place;   ///< Strictly increasing.
  std::vector<double> height;  ///< Strictly increasing.
  std::vector<double> slope;   ///< Positive.
  double left = 0.0;           ///< Weight of the left tail.
  double right = 0.0;          ///< Weight of the right tail.

  CurveView view() const;
};

/// Fits the curve of one column.
///
/// Affine   `knots` = 0: one knot at the mean, slope 1 / deviation (divisor n - 1), straight tails.
/// Places   `knots` >= 2, at most: values of the column, evenly spaced in normal scores where the
///          data are dense, and with a number of values between neighbours that the column can pay
///          where they are not (docs/numerics.md). Knots nearer than the values' type resolves, as
///          those of an atom, are merged: fewer are left. Where only one is left, it is that of the
///          affine map.
/// Heights  Phi^-1((r - 1/2) / n) of the rank r, for equal values of the mean of their ranks.
/// Slopes   weighted harmonic means of the neighbours' secants (Fritsch and Butland 1984).
/// Tails    the weight of largest likelihood on the values beyond the outer knot.
/// Cost     O(knots log n), after the sort of the caller.
///
/// sorted     [n], float64 on the CPU, in increasing order, n >= 2, not all equal.
/// roundoff   distance from 1 to the next number of the type that the column comes in.
MarginalFit fit_marginal(const at::Tensor& sorted, int64_t knots, double roundoff);

/// log p of each value of x [M], float64: a standard normal density in front of the curve.
at::Tensor marginal_log_prob(const MarginalFit& fit, const at::Tensor& x);

}  // namespace contraflow
