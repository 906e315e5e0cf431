#pragma once

#include <vector>

#include "contraflow/kernels/dense.h"

namespace contraflow {

/// Lanczos iteration for the largest eigenvalue of a symmetric positive semi-definite matrix, with
/// full orthogonalisation. The value of a clustered spectrum converges in few steps, where power
/// iteration waits for the vector.
///
/// Shapes   g [n, n]; basis [kSpare + steps or more, n], memory that the iteration works in; start
///          [n], not zero. Matrices as kernels/dense.h has them; they must outlive this object.
/// Cost     per step one product of g with a vector and O(n steps).
/// Source   Golub and Van Loan, Matrix Computations, section 10.1.
class Lanczos {
 public:
  static constexpr int64_t kSpare = 2;  ///< vectors of the basis beyond one a step

  Lanczos(const kernels::DenseMatrix& g, const kernels::DenseMatrix& basis, const double* start);

  /// Goes on to `steps` steps in all; fewer when the space, or the basis, is exhausted.
  void extend_to(int64_t steps);
  int64_t steps() const { return static_cast<int64_t>(alpha_.size()); }

  /// The top eigenpair of the tridiagonal matrix, by bisection and inverse iteration, carried back.
  /// x [n, padded with zeros to whole vectors] becomes its unit vector.
  /// Returns the Rayleigh quotient: never above the largest eigenvalue, but for rounding.
  double top(double* x) const;

 private:
  double* vector(int64_t k) const { return basis_.data + k * basis_.stride; }

  kernels::DenseMatrix g_, basis_;
  int64_t padded_;
  std::vector<double> alpha_, beta_;
  bool exhausted_ = false;
};

}  // namespace contraflow
