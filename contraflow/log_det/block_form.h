#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "contraflow/core/export.h"

namespace contraflow {

/// The 2x2 matrix of a contractive block:  x = A w + B G(w),  y = C w + D G(w).
/// Source   docs/numerics.md, "The block"; residual (1 0; 1 1), inverse residual (1 1; 1 0), monotone
///          (1 1; 1 -1) / sqrt 2, a Cayley transform.
struct CF_EXPORT BlockForm {
  double a = 1;
  double b = 0;
  double c = 1;
  double d = 1;
  /// B / A and D / C are trained: the even powers of the series have derivatives even where their
  /// coefficients are 0, and are never left out.
  bool learned = false;

  /// The matrix of the inverse map: x and y trade places.
  BlockForm swapped() const { return {c, d, a, b, learned}; }
  /// Both solves are contractions for Lip(G) <= kappa.
  bool admissible(double kappa) const {
    return std::abs(b) * kappa < std::abs(a) && std::abs(d) * kappa < std::abs(c);
  }
  /// The same relation with K = J - shift I in the place of J: C I + D J = (C + D shift) I + D K.
  BlockForm shifted(double shift) const { return {a + b * shift, b, c + d * shift, d, learned}; }
  /// Ratio of the power series for an operator of at most this norm: it converges below 1.
  double series_ratio(double norm) const {
    return norm * std::max(std::abs(d / c), std::abs(b / a));
  }
  double determinant() const { return a * d - b * c; }
  bool explicit_forward() const { return b == 0; }
  /// Whether y is to be had as (D / B) x - (det / B) w, with G eliminated: one evaluation less, but
  /// for a small B the difference of two large numbers.
  bool eliminates(double kappa) const {
    return b != 0 && std::abs(determinant()) <= 2 * std::abs(b) * reach(kappa);
  }
  /// An error of w reaches y times this, at most.
  double error_gain(double kappa) const {
    return eliminates(kappa) ? std::abs(determinant() / b) : reach(kappa);
  }
  /// Lipschitz constant of the map x -> y for Lip(G) <= kappa.
  double lipschitz(double kappa) const;

 private:
  double reach(double kappa) const { return std::abs(c) + std::abs(d) * kappa; }
};

/// Coefficients of the power series  log|det dy/dx| = dim log|C/A| + sum_k series(k) tr J^k,
/// and of its differential  sum_k neumann(k) tr(J^k dJ).
/// series(k) = (-1)^(k+1)/k [(D/C)^k - (B/A)^k];  neumann(k) = (k+1) series(k+1).
CF_EXPORT double series_coefficient(const BlockForm& form, int power);

/// Derivatives of series_coefficient(power) with respect to B / A and D / C.
CF_EXPORT std::array<double, 2> series_slopes(const BlockForm& form, int power);

/// The power of J in the j-th non-zero term (1-based): odd powers only for |D/C| = |B/A| of
/// opposite sign (monotone), unless they are learned.
CF_EXPORT int power_of_term(const BlockForm& form, int64_t term);

/// Bound on the ratio of one non-zero term of the series to the one before, for |J| <= norm.
CF_EXPORT double term_ratio(const BlockForm& form, double norm);

/// The shift closest to `wanted`, on its side of 0, for which the series of the shifted form
/// provably converges, |J - c I| <= kappa + |c|, at half of the unshifted distance from 1 at least.
CF_EXPORT double admissible_shift(const BlockForm& form, double kappa, double wanted);

}  // namespace contraflow
