#pragma once

#include <cstdint>
#include <vector>

namespace contraflow {

/// A quadrature rule on [0, 1].
struct QuadratureRule {
  std::vector<double> nodes;    ///< increasing
  std::vector<double> weights;  ///< positive; they sum to 1
};

/// Gauss and Legendre's rule of `count` >= 1 nodes: exact for polynomials of degree < 2 count;
/// nodes to the last digits, by Newton's method on Legendre's recurrence. Node i lies between the
/// sums of the first i - 1 and the first i weights (Chebyshev, Markov, Stieltjes).
QuadratureRule gauss_legendre(int64_t count);

}  // namespace contraflow
