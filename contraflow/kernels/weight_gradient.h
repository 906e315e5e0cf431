#pragma once

#include <cstdint>

namespace contraflow::kernels {

/// Carries the gradient of a layer's effective weight W diag(factor) back to W.
///
/// weight_bar [o, i] += factor[i] g[i, o], and sums[i] = sum_o g[i, o] w[o, i] in float64, for
/// g [inputs, outputs], w and weight_bar [outputs, inputs], factor and sums [inputs].
/// Cost       one pass over the three, which the transposition of g keeps in the first-level cache.
void add_weight_gradient(const float* g, const float* w, const float* factor, int64_t outputs,
                         int64_t inputs, float* weight_bar, double* sums);
void add_weight_gradient(const double* g, const double* w, const double* factor, int64_t outputs,
                         int64_t inputs, double* weight_bar, double* sums);

}  // namespace contraflow::kernels
