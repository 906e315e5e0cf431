#pragma once

#include <cstdint>

#include "contraflow/kernels/activations.h"

namespace contraflow::kernels {

/// One pass of activation_reverse() over contiguous numbers on the host: jets are computed again
/// from z and never stored.
///
/// Shapes   z, value: [rows, features]; value_bar: [rows, e features]; tangent, tangent_down:
///          [probes, rows, features]; tangent_bar: [probes, rows, e features], e = expansion(kind).
/// Types    float, double. Where z is NaN, so are the results.
/// Error    a few units in the last place of the terms' sizes.
/// Not for  sorting activations, nor kSin (jets.h).
/// Threads  shared with the caller's; results do not depend on their number.
template <class T>
struct ReverseCall {
  Activation kind = Activation::kTanh;
  double beta = 1.0;
  int64_t rows = 0;
  int64_t features = 0;
  int64_t probes = 0;  ///< 0: no tangents
  const T* z = nullptr;
  const T* value_bar = nullptr;  ///< null: zero
  const T* tangent_bar = nullptr;
  const T* tangent = nullptr;
  T* value = nullptr;
  T* tangent_down = nullptr;
};

/// Returns the sum of  value_bar (z phi' - phi) + tangent_bar tangent z phi'':  beta times the
/// derivative by the beta of a swish.
double run_reverse(const ReverseCall<float>& call);
double run_reverse(const ReverseCall<double>& call);

/// Products with the slopes [rows, 2 features] of a concatenating activation, for each probe:
///   jvp   out [probes, rows, 2 features] = [t s_1 ; t s_2],     t [probes, rows, features]
///   vjp   out [probes, rows, features]   = u_1 s_1 + u_2 s_2,   u [probes, rows, 2 features]
template <class T>
struct SlopeCall {
  int64_t probes = 0;
  int64_t rows = 0;
  int64_t features = 0;
  const T* slope = nullptr;
  const T* in = nullptr;
  T* out = nullptr;
};

void run_slope_jvp(const SlopeCall<float>& call);
void run_slope_jvp(const SlopeCall<double>& call);
void run_slope_vjp(const SlopeCall<float>& call);
void run_slope_vjp(const SlopeCall<double>& call);

}  // namespace contraflow::kernels
