#pragma once

#include <cmath>

namespace contraflow {

/// The 2x2 matrix of a contractive block:  x = A w + B G(w),  y = C w + D G(w).
/// Source   DESIGN section 1; residual (1 0; 1 1), inverse residual (1 1; 1 0), monotone
///          (1 1; 1 -1) / sqrt 2, a Cayley transform.
struct BlockForm {
  double a = 1;
  double b = 0;
  double c = 1;
  double d = 1;

  /// The matrix of the inverse map: x and y trade places.
  BlockForm swapped() const { return {c, d, a, b}; }
  /// Both solves are contractions for Lip(G) <= kappa.
  bool admissible(double kappa) const {
    return std::abs(b) * kappa < std::abs(a) && std::abs(d) * kappa < std::abs(c);
  }
  double determinant() const { return a * d - b * c; }
  bool explicit_forward() const { return b == 0; }
  /// Lipschitz constant of the map x -> y for Lip(G) <= kappa.
  double lipschitz(double kappa) const;
};

/// Coefficients of the power series  log|det dy/dx| = dim log|C/A| + sum_k series(k) tr J^k,
/// and of its differential  sum_k neumann(k) tr(J^k dJ).
/// series(k) = (-1)^(k+1)/k [(D/C)^k - (B/A)^k];  neumann(k) = (k+1) series(k+1).
double series_coefficient(const BlockForm& form, int power);

}  // namespace contraflow
