#pragma once

#include <cstdint>

namespace contraflow {

/// Most past steps that can be mixed.
inline constexpr int64_t kMostAndersonMemory = 8;

/// Anderson's step for one point: the combination of the last `count` <= kMostAndersonMemory steps
/// that minimises the linearised residual.
///   r = f - w;   gamma = argmin |r - sum_j gamma_j dr_j|;   out = f - sum_j gamma_j (dw_j + dr_j)
/// dw, dr: [count, d] differences of points and residuals; w, f, out: [d]; out may not alias them.
/// Nearly parallel differences are harmless (relative Tikhonov term 1e-12).
void anderson_step(const double* dw, const double* dr, int64_t count, int64_t d, const double* w,
                   const double* f, double* out);

}  // namespace contraflow
