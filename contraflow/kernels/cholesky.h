#pragma once

#include <cstdint>

namespace contraflow::kernels {

/// Whether the Cholesky factorisation of a symmetric matrix runs to completion: every pivot is
/// positive. What Rump's test of definiteness asks; the factor itself is not wanted.
///
/// Shapes   a [n, n], row-major, float64; the upper triangle is read, and overwritten.
/// Cost     n^3 / 3 operations, by rows in vectors. A NaN is no positive pivot.
/// Source   Golub and Van Loan, Matrix Computations, section 4.2 (outer product form).
bool cholesky_succeeds(double* a, int64_t n);

}  // namespace contraflow::kernels
