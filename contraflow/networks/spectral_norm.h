#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow {

/// How a layer's spectral norm is bounded.
enum class NormMethod {
  kEstimated,  ///< power iteration: approaches from below, not a bound; the papers' choice
  kCholesky,   ///< a guess from power iteration, raised and proven by a Cholesky factorisation
  kGram,       ///< Gram iteration: always above
};

constexpr auto enum_names(NormMethod) {
  return std::array{std::pair{"estimated", NormMethod::kEstimated},
                    std::pair{"cholesky", NormMethod::kCholesky},
                    std::pair{"gram", NormMethod::kGram}};
}

/// Bounds on the spectral norm of a matrix, with its top singular pair as far as it was found.
struct NormBounds {
  double lower = 0;  ///< a Rayleigh quotient, lowered by the rounding bound: never above the norm
  double upper = 0;  ///< proven, except for kEstimated, where it equals the estimate
  at::Tensor left;   ///< unit vector u [o], float64
  at::Tensor right;  ///< unit vector v [i], float64;  u^T W v = lower up to rounding
};

/// The two ends alone.
struct NormInterval {
  double lower = 0;
  double upper = 0;
};

/// Bounds of `weight` [o, i] (any floating dtype; computed in float64 on the CPU).
///
/// `warm_right` [i], float64, starts the power iteration (undefined or zero: a fixed start);
/// `relative_tolerance` stops it when the eigenvalue residual is that small, and is also the raise
/// of the first guess of kCholesky (at least 1e-9).
///
/// Slack   kCholesky: `relative_tolerance`, doubled until the proof succeeds; kGram: under 0.3 %.
/// Cost    O(o i n) for the Gram matrix of the smaller side n, O(n^2) an iteration, O(n^3) a proof.
/// Throws  NumericsError for weights that are not finite.
/// Source  Rump 2006, "Verification of positive definiteness", for the proof by Cholesky;
///         Delattre et al. 2023 for Gram iteration; docs/numerics.md.
CF_EXPORT NormBounds spectral_norm_bounds(const at::Tensor& weight, const at::Tensor& warm_right,
                                          NormMethod method, double relative_tolerance = 1e-3);

/// The same bounds with the singular pair updated in place: `left` [o] and `right` [i], contiguous
/// float64 on the CPU, hold the pair of an earlier weight (zero: none) and then that of this one.
/// Small matrices take microseconds; see small_norm.h.
CF_EXPORT NormInterval update_spectral_norm(const at::Tensor& weight, at::Tensor& left,
                                            at::Tensor& right, NormMethod method,
                                            double relative_tolerance);

}  // namespace contraflow
