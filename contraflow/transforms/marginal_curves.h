#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace contraflow {

/// Curves of D columns (transforms/monotone_curve.h), one after the other, all float64.
struct MarginalCurves {
  at::Tensor place;   ///< [T]
  at::Tensor height;  ///< [T]
  at::Tensor slope;   ///< [T]
  at::Tensor tail;    ///< [D, 2]: weights of the left and the right tail
  std::vector<int64_t>
      first_knot;  ///< D + 1 numbers: column d has knots first[d] ... first[d + 1].
};

/// A batch through its columns' curves.
struct CurvesOutput {
  at::Tensor value;    ///< [B, D], in the type of the input
  at::Tensor log_det;  ///< [B], of the call made
};

/// Forward (or inverse) of x [B, D]. Differentiable, once, by x, height, slope and tail; on the CPU
/// one node of the graph, with the derivatives of curve_derivatives(), elsewhere composed_curves().
///
/// Cost   a binary search and some fifty operations a number, all in float64.
CurvesOutput map_curves(const MarginalCurves& curves, const at::Tensor& x, bool inverse);

/// The same out of tensor operations, on any device: what map_curves() is held against.
CurvesOutput composed_curves(const MarginalCurves& curves, const at::Tensor& x, bool inverse);

}  // namespace contraflow
