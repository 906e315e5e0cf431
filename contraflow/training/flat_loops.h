#pragma once

#include <cstdint>

namespace contraflow {

/// Passes over flat buffers on the CPU, each element loaded and stored once.
///
/// Types      float, double.
/// Threads    large buffers are shared out in chunks of fixed size, and sums of chunks are added in
///            order: results are the same bits for any number of threads.

/// Coefficients of one step of Adam, in float64 (see Adam for the formula).
struct AdamCoefficients {
  double first_weight = 0;   ///< 1 - beta1
  double second_decay = 0;   ///< beta2
  double second_weight = 0;  ///< 1 - beta2
  double rate = 0;           ///< learning rate / (1 - beta1^t)
  double root_scale = 1;     ///< 1 / sqrt(1 - beta2^t)
  double epsilon = 0;
  double shrink = 1;    ///< decoupled decay: factor of the parameter, 1 - learning rate * decay
  double l2_decay = 0;  ///< decay within the gradient: this times the parameter is added to it
};

/// One step of Adam on `count` elements; buffers do not overlap. Zero gradient, moments and value
/// stay zero.
template <class T>
void adam_update(T* value, const T* gradient, T* first, T* second, int64_t count,
                 const AdamCoefficients& coefficients);

/// Sum of the squares of `factor` x, accumulated in float64.
template <class T>
double sum_of_squares(const T* x, int64_t count, double factor = 1);

/// Largest |x|; NaN or infinity when an element is not finite.
template <class T>
double largest_magnitude(const T* x, int64_t count);

}  // namespace contraflow
