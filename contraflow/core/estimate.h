#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "contraflow/core/export.h"

namespace contraflow {

/// Two ends of an interval.
struct Interval {
  double lower = 0.0;
  double upper = 0.0;
};

/// A mean with the standard error of that mean, from `count` independent values.
struct CF_EXPORT Estimate {
  double mean = 0.0;
  double standard_error = 0.0;  ///< NaN when count < 2: one value says nothing about its spread.
  int64_t count = 0;            ///< Values, or rows.

  /// Student-t interval that covers the expectation with probability `level`, in (0, 1), for values
  /// near enough to normal. Infinite when count < 2.
  Interval interval(double level = 0.95) const;
};

/// Mean and standard error over all elements, accumulated in float64. Exactly 0 error for equal
/// values. Throws ShapeError for an empty tensor.
CF_EXPORT Estimate mean_and_error(const at::Tensor& values);

/// Weighted mean sum(w v)/sum(w) in float64, with the standard error of the rows' spread:
/// sqrt(n/(n-1) sum w^2 (v - mean)^2) / sum w. `weight_b` may be undefined: all one.
/// The spread holds the noise of probes and dequantization too, one draw per row. Integer weights
/// give the mean of so many equal rows, but not their error: copies of a row add no knowledge.
/// Throws ShapeError (another shape), DomainError (a sum of weights that is not positive, finite).
CF_EXPORT Estimate weighted_mean(const at::Tensor& value_b, const at::Tensor& weight_b);

/// What mean_and_error would have given on the values of `a` and `b` together. An empty one (count
/// 0) changes nothing, so batches can be folded from Estimate{}.
CF_EXPORT Estimate combined(const Estimate& a, const Estimate& b);

/// Mean of a - b over the same rows: the error of a comparison on the same data, in which what the
/// two have in common cancels. Throws ShapeError when shapes differ.
CF_EXPORT Estimate paired_difference(const at::Tensor& a, const at::Tensor& b);

/// a - b of independent estimates; errors add in squares. Its count is Welch's degrees of freedom
/// plus one, rounded down.
CF_EXPORT Estimate difference(const Estimate& a, const Estimate& b);

/// nats / (dims log 2): a negative log-likelihood in bits per dimension.
CF_EXPORT double bits_per_dim(double nats, int64_t dims);
CF_EXPORT Estimate bits_per_dim(const Estimate& nats, int64_t dims);

/// The t with P(|T| <= t) = level for Student's distribution; relative error below 1e-9.
CF_EXPORT double student_t_quantile(double level, double degrees_of_freedom);

}  // namespace contraflow
