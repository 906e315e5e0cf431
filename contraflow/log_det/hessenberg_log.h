#pragma once

#include <cstdint>
#include <vector>

#include "contraflow/log_det/gauss_legendre.h"

namespace contraflow {

/// e_1 . log(I + ratio H) e_1 for the small Hessenberg matrices H of Arnoldi's method, |H| <=
/// kappa, |ratio| kappa < 1, and how far that is from v . log(I + ratio J) v for a unit v.
///
/// Method  log(1 + z) = int_0^1 z / (1 + t z) dt by Gauss and Legendre, so many nodes that its own
///         error, at most that of the same rule for log(1 - |ratio| kappa), is below 1e-13 (256
///         nodes at most; what is left is in the bound).
/// Bound   proven but for rounding, and valid for the J and v that H came from (docs/numerics.md).
/// Cost    O(m^2) a node.
/// Threads  const members may run concurrently.
class HessenbergLog {
 public:
  HessenbergLog(double ratio, double kappa);

  struct Result {
    double value;
    double bound;
  };
  /// `h`: [m + 1, m] row-major, Hessenberg; its last row holds what leaves the space.
  Result evaluate(const double* h, int64_t m) const;

  /// ratio (I + ratio H)^-1 e_1, [m]: what carries the gradient.
  std::vector<double> derivative(const double* h, int64_t m) const;

 private:
  double cell_factor(size_t node, double begin, double end, int64_t m) const;

  double ratio_, kappa_;
  QuadratureRule rule_;
  double rule_error_ = 0;
};

}  // namespace contraflow
