#pragma once

#include <cmath>

#include "contraflow/kernels/cuda/plain.h"

namespace contraflow::kernels::cuda {

// The formulas are those of activation_jet() (kernels/activations.cpp), which is the definition;
// the tests hold one against the other. Comparisons are written so that NaN propagates.

/// Value, slope and curvature with respect to z.
template <class T>
struct Jet {
  T value, slope, curvature;
};

/// What an activation gives for one pre-activation: one jet, or two (derivatives with respect to z
/// in both; `second` is set for the concatenating ones alone).
template <class T>
struct JetPair {
  Jet<T> first, second;
};

template <class T>
CF_HD inline T below_zero(T z) {
  return z > 0 ? T(0) : z;
}
template <class T>
CF_HD inline T above_zero(T z) {
  return z < 0 ? T(0) : z;
}

template <class T>
CF_HD inline Jet<T> scaled(const Jet<T>& jet, double factor) {
  const T f = static_cast<T>(factor);
  return {jet.value * f, jet.slope * f, jet.curvature * f};
}

/// sigmoid(v) and sigmoid(-v), from one exponential that cannot overflow.
template <class T>
struct Sigmoids {
  T at, opposite;
};
template <class T>
CF_HD inline Sigmoids<T> sigmoids(T v) {
  const T e = std::exp(-std::abs(v));
  const T high = 1 / (1 + e), low = e * high;
  return v < 0 ? Sigmoids<T>{low, high} : Sigmoids<T>{high, low};
}

template <class T>
CF_HD inline Jet<T> elu(T z) {
  const T below = below_zero(z), e = std::exp(below);
  return {above_zero(z) + std::expm1(below), e, z < 0 ? e : T(0)};
}

template <class T>
CF_HD inline Jet<T> tanh_jet(T z) {
  const T value = std::tanh(z), slope = 1 - value * value;
  return {value, slope, -2 * value * slope};
}

template <class T>
CF_HD inline Jet<T> softplus(T z) {
  const Sigmoids<T> s = sigmoids(z);
  return {above_zero(z) + std::log1p(std::exp(-std::abs(z))), s.at, s.at * s.opposite};
}

template <class T>
CF_HD inline Jet<T> sine(T z) {
  const T value = std::sin(z);
  return {value, std::cos(z), -value};
}

template <class T>
CF_HD inline JetPair<T> swish_pair(T z, T beta) {
  const T bz = beta * z;
  const Sigmoids<T> s = sigmoids(bz);
  const T curvature = beta * s.at * s.opposite * (2 + bz * (s.opposite - s.at));
  return {{z * s.at, s.at * (1 + bz * s.opposite), curvature},
          {-z * s.opposite, -s.opposite * (1 - bz * s.at), curvature}};
}

template <class T>
CF_HD inline Jet<T> pila(T z) {
  constexpr T k = 5;
  // Below the floor e^(kz) underflows; without it z^3 could overflow first and give inf * 0.
  constexpr T floor = (sizeof(T) == 8 ? T(-700) : T(-87)) / k;
  const T clamped = below_zero(z);
  const T n = clamped < floor ? floor : clamped;
  const T e = std::exp(k * n);
  return {above_zero(z) + n * e * (1 + n * (k * k / 2 * n - k)),
          e * (1 + n * (-k + n * (k * k / 2 + k * k * k / 2 * n))),
          e * n * n * (k * k * k * (2 + k / 2 * n))};
}

template <class T>
CF_HD inline Jet<T> relu(T z) {
  return {above_zero(z), z > 0 ? T(1) : T(0), T(0)};
}

/// [phi(z - shift); phi(-z - shift)] factor, as functions of z.
template <class T, class Inner>
CF_HD inline JetPair<T> concatenated(T z, double shift, double factor, Inner inner) {
  const T s = static_cast<T>(shift);
  JetPair<T> out{scaled<T>(inner(z - s), factor), scaled<T>(inner(-z - s), factor)};
  out.second.slope = -out.second.slope;
  return out;
}

template <class T>
CF_HD inline JetPair<T> jets(Kind kind, T z, T beta) {
  switch (kind) {
    case Kind::kElu:
      return {elu(z), {}};
    case Kind::kTanh:
      return {tanh_jet(z), {}};
    case Kind::kSoftplus:
      return {softplus(z), {}};
    case Kind::kSin:
      return {sine(z), {}};
    case Kind::kSwish:
      return {swish_pair(z, beta).first, {}};
    case Kind::kLipSwish:
      return {scaled(swish_pair(z, beta).first, 1 / 1.1), {}};
    case Kind::kPila:
      return {pila(z), {}};
    case Kind::kCRelu:
      return concatenated(z, 0.0, 1.0, [](T v) { return relu(v); });
    case Kind::kClipSwish: {
      const JetPair<T> pair = swish_pair(z, beta);
      return {scaled(pair.first, 1 / 1.1 / 1.004), scaled(pair.second, 1 / 1.1 / 1.004)};
    }
    case Kind::kCPila:
      return concatenated(z, 0.2, 1 / 1.06, [](T v) { return pila(v); });
  }
  return {};
}

template <class T>
CF_HD inline void write_jet(const JetCall<T>& call, const Jet<T>& jet, int64_t at) {
  if (call.value != nullptr) call.value[at] = jet.value;
  if (call.slope != nullptr) call.slope[at] = jet.slope;
  if (call.curvature != nullptr) call.curvature[at] = jet.curvature;
}

template <class T>
CF_HD inline void jet_element(const JetCall<T>& call, int64_t index) {
  const int64_t row = index / call.features, feature = index % call.features;
  const T z = call.z[row * call.z_stride + feature];
  const JetPair<T> pair = jets(call.kind, z, call.beta == nullptr ? T(1) : *call.beta);
  const int64_t at = row * call.out_stride + feature;
  write_jet(call, pair.first, at);
  if (is_paired(call.kind)) write_jet(call, pair.second, at + call.features);
}

}  // namespace contraflow::kernels::cuda
