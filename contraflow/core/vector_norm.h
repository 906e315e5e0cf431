#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

#include "contraflow/core/export.h"

namespace contraflow {

/// Norms of R^d by their order p in [1, infinity].

inline constexpr double kInfinityOrder = std::numeric_limits<double>::infinity();

/// A Lipschitz constant and the order of the norm in which it holds.
struct LipschitzBound {
  double constant;
  double order;
  // NOLINTNEXTLINE(google-explicit-constructor): a bare number is a Euclidean constant
  LipschitzBound(double constant_, double order_ = 2.0) : constant(constant_), order(order_) {}
};

/// The p* with 1/p + 1/p* = 1:  |x . y| <= |x|_p |y|_p*, and |A^T|_p* = |A|_p.
CF_EXPORT double dual_order(double order);

/// |t|_p over the last axis.
CF_EXPORT at::Tensor row_norm(const at::Tensor& t, double order);
CF_EXPORT double vector_norm(const double* v, int64_t d, double order);

/// The x with |x|_order = 1 and x . z = |z|_p*, p* the dual order, which reach Hoelder's bound:
/// sign(z) |z|^(p* - 1), scaled; the largest entry's unit vector for order 1, the signs for
/// infinity. 0 for z = 0.
CF_EXPORT void dual_vector(const double* z, int64_t d, double order, double* x);
/// Row by row over the last axis of z.
CF_EXPORT at::Tensor dual_rows(const at::Tensor& z, double order);

/// The least c with |x|_to <= c |x|_from on R^d:  d^max(0, 1/to - 1/from).
CF_EXPORT double norm_ratio(double from, double to, int64_t d);

}  // namespace contraflow
