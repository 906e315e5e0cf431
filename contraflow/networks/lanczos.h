#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace contraflow {

/// Lanczos iteration for the largest eigenvalue of a symmetric positive semi-definite matrix, with
/// full orthogonalisation. The value of a clustered spectrum converges in few steps, where power
/// iteration waits for the vector.
///
/// Shapes   g [n, n], start [n], float64, on the CPU, contiguous; start is not zero.
/// Cost     per step one product of g with a vector and O(n steps).
/// Source   Golub and Van Loan, Matrix Computations, section 10.1.
class Lanczos {
 public:
  Lanczos(const at::Tensor& g, const at::Tensor& start);

  /// Goes on to `steps` steps in all; fewer when the space is exhausted.
  void extend_to(int64_t steps);
  int64_t steps() const { return static_cast<int64_t>(alpha_.size()); }

  struct Top {
    at::Tensor vector;  ///< unit, [n]
    double value;       ///< Rayleigh quotient: never above the largest eigenvalue, but for rounding
  };
  /// The top eigenpair of the tridiagonal matrix, by bisection and inverse iteration, carried back.
  Top top() const;

 private:
  double* basis(size_t k) { return basis_.data() + k * static_cast<size_t>(n_); }
  const double* basis(size_t k) const { return basis_.data() + k * static_cast<size_t>(n_); }

  at::Tensor g_;
  int64_t n_;
  std::vector<double> basis_;  // vectors one after another
  std::vector<double> alpha_, beta_;
  bool exhausted_ = false;
};

}  // namespace contraflow
