#pragma once

#include <cstdint>
#include <optional>

#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

/// Largest smaller side that small_norm_bounds() takes; beyond it the vector kernels win.
inline constexpr int64_t kSmallNormSide = 40;

/// The bounds of spectral_norm_bounds() for a small matrix and a warm start, in plain loops without
/// tensors: the same Gram matrix, the same Cholesky proof with the same rounding shift.
///
/// Shapes     weight: rows x cols, row-major, float32 or float64; left: [rows]; right: [cols].
/// In, out    left, right: a unit top singular pair of an earlier, similar weight; replaced by the
///            pair of this one. Only the vector of the smaller side is read.
/// Method     kCholesky or kEstimated.
/// Returns    nothing, with the pair untouched, for a smaller side above kSmallNormSide, another
///            method, a zero start or weight, entries that are not finite, an iteration that does
///            not converge, a proof that fails. Use spectral_norm_bounds() then.
/// Cost       2 x 50: 0.2 us;  8 x 34: 1 us;  32 x 32: 6 us (one core, SSE2). Allocates nothing
///            after the first call of a thread.
/// Threads    safe. Deterministic.
/// Source     as spectral_norm_bounds(); docs/numerics.md.
template <class T>
std::optional<NormInterval> small_norm_bounds(const T* weight, int64_t rows, int64_t cols,
                                              double* left, double* right, NormMethod method,
                                              double relative_tolerance);

}  // namespace contraflow
