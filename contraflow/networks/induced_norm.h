#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

/// Whether |W|_(p -> q) = sup |W x|_q / |x|_p is computed and not estimated: p = 1 (the largest
/// column in the q-norm), q = infinity (the largest row in the dual norm of p), p = q = 2 (the
/// spectral norm, by a proof). The others are hard in general.
bool induced_norm_is_exact(double p, double q);

/// Bounds on |W|_(p -> q), weight [o, i] of any floating dtype, orders in [1, infinity]; computed
/// in float64 on the CPU.
///
/// Pair      left [o] and right [i], contiguous float64 on the CPU, become the pair at which the
///           norm is reached, |right|_p = 1 and |left|_q* = 1 with left . W right = norm: its
///           gradient is left right^T. They are read as the start of the iterations (zero: none).
/// Exact     as above, rounded outwards; `method` and `relative_tolerance` are those of the
///           spectral norm's proof.
/// Estimated else: lower = upper = the value of the generalised power iteration x <- dual of
///           W^T (dual of W x), which never falls, from the given pair or, without one, the best of
///           many starts; ends at a relative gain below the tolerance. It may end at a local
///           maximum: not a bound. lower is one.
/// Cost      exact: O(o i); an iteration O(o i).
/// Throws    NumericsError for weights that are not finite.
/// Source    Johnston 2016, "How to compute hard-to-compute matrix norms"; Higham 1992,
///           "Estimating the matrix p-norm"; Tropp 2004, section 4.3 for the exact cases.
NormInterval update_induced_norm(const at::Tensor& weight, at::Tensor& left, at::Tensor& right,
                                 double p, double q, NormMethod method, double relative_tolerance);

/// d log|W|_(p -> q) / dp and / dq at the pair of update_induced_norm(), for 1 < p, q < infinity:
/// entropy(|x|^p) / p^2 and -entropy(|y|^q / |y|_q^q) / q^2, by the envelope theorem.
struct OrderSlopes {
  double by_input;
  double by_output;
};
OrderSlopes log_norm_slopes(const at::Tensor& left, const at::Tensor& right, double p, double q);

}  // namespace contraflow
