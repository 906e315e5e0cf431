#pragma once

#include "contraflow/kernels/dense.h"

namespace contraflow::kernels {

/// Whether the Cholesky factorisation of shift I - g runs to completion: every pivot is positive.
/// What Rump's test of definiteness asks.
///
/// Shapes   g, factor square, as form_gram() leaves them; g is read in its upper triangle.
/// Out      factor, if it succeeds: the upper triangle R of R^T R, with rows of either sign.
/// Rounding as of any order of the sums. A row is multiplied by the rounded inverse of its pivot's
///          root: one rounding an entry more than a division has, and two on the diagonal.
/// Cost     n^3 / 3 operations. A NaN is no positive pivot.
/// Source   Golub and Van Loan, Matrix Computations, section 4.2 (block form).
bool cholesky_succeeds(const DenseMatrix& g, double shift, const DenseMatrix& factor);

}  // namespace contraflow::kernels
