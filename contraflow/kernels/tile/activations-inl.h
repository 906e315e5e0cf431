// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_ACTIVATIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_ACTIVATIONS_INL_H_
#undef CONTRAFLOW_TILE_ACTIVATIONS_INL_H_
#else
#define CONTRAFLOW_TILE_ACTIVATIONS_INL_H_
#endif

#include "contraflow/kernels/activations.h"
#include "contraflow/kernels/tile/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

// One sample per lane. The formulas are those of activation_jet() (kernels/activations.cpp), which
// is the definition; the tests hold one against the other.

/// Value, slope and curvature with respect to z.
template <class T>
struct Jet {
  Vec<T> value, slope, curvature;
};

template <class T>
HWY_INLINE Vec<T> exp_of(Vec<T> x) {
  return hn::Exp(Tag<T>(), x);
}

// e^x for x <= 0, to an ulp: without the tests that larger arguments need. Below -87, where e^x
// leaves float32's normal numbers, it stays at 1.6e-38.
template <class T>
HWY_INLINE Vec<T> exp_below_zero(Vec<T> x) {
  if constexpr (sizeof(T) == 8) {
    return exp_of<T>(x);
  } else {
    const Tag<float> d;
    const hn::RebindToSigned<Tag<float>> whole;
    const Vec<T> floored = hn::Max(set<T>(-87.0), x);  // in this order a NaN stays one
    const Vec<T> n = hn::Round(floored * set<T>(1.44269504088896341));
    Vec<T> r = hn::NegMulAdd(n, set<T>(0.693359375), floored);  // ln 2 in two parts
    r = hn::NegMulAdd(n, set<T>(-2.12194440054690583e-4), r);
    // 1 + r + r^2 times a fit of least relative error, 3e-9, on |r| <= ln 2 / 2.
    Vec<T> p = hn::MulAdd(r, set<T>(1.381453999e-03), set<T>(8.368745246e-03));
    p = hn::MulAdd(p, r, set<T>(4.166839080e-02));
    p = hn::MulAdd(p, r, set<T>(1.666652040e-01));
    p = hn::MulAdd(p, r, set<T>(4.999999343e-01));
    p = hn::MulAdd(p, r, set<T>(1.0));
    p = hn::MulAdd(p, r, set<T>(1.0));
    const auto exponent = hn::ConvertTo(whole, n) + hn::Set(whole, 127);
    return p * hn::BitCast(d, hn::ShiftLeft<23>(exponent));
  }
}

// 1 / x for x in [1, 2]: where the approximation has 14 bits one Newton step gives float32's 24,
// at a third of the cost of a division.
template <class T>
HWY_INLINE Vec<T> reciprocal(Vec<T> x) {
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(T) == 4) {
    const Vec<T> y = hn::ApproximateReciprocal(x);
    return hn::MulAdd(y, hn::NegMulAdd(x, y, set<T>(1.0)), y);
  }
#endif
  return set<T>(1.0) / x;
}

template <class T>
HWY_INLINE Jet<T> scale(Jet<T> jet, double factor) {
  const Vec<T> f = set<T>(factor);
  return {jet.value * f, jet.slope * f, jet.curvature * f};
}

// z sigmoid(beta z) at z and, from the same exponential, at -z.
template <class T>
struct SwishPair {
  Jet<T> at, opposite;
};

template <class T>
HWY_INLINE SwishPair<T> swish_pair(Vec<T> z, Vec<T> beta) {
  const Tag<T> d;
  const Vec<T> one = set<T>(1.0), two = set<T>(2.0);
  const Vec<T> bz = beta * z;
  const Vec<T> e = exp_below_zero<T>(hn::Neg(hn::Abs(bz)));  // in (0, 1]: no overflow
  const Vec<T> high = reciprocal<T>(one + e), low = e * high;
  const auto positive = bz >= hn::Zero(d);
  const Vec<T> s = hn::IfThenElse(positive, high, low);
  const Vec<T> o = hn::IfThenElse(positive, low, high);  // 1 - s without cancellation
  const Vec<T> curvature = beta * s * o * hn::MulAdd(bz, o - s, two);
  return {{z * s, s * hn::MulAdd(bz, o, one), curvature},
          {hn::Neg(z * o), o * hn::NegMulAdd(bz, s, one), curvature}};
}

template <class T>
HWY_INLINE Jet<T> pila(Vec<T> z) {
  const Tag<T> d;
  constexpr double k = 5.0;
  const Vec<T> zero = hn::Zero(d);
  // Below the floor e^(kz) underflows; without it z^3 could overflow first and give inf * 0.
  const Vec<T> n = hn::Max(hn::Min(z, zero), set<T>((sizeof(T) == 8 ? -700.0 : -87.0) / k));
  const Vec<T> e = exp_below_zero<T>(set<T>(k) * n);
  const Vec<T> one = set<T>(1.0);
  const Vec<T> cubic = hn::MulAdd(n, hn::MulAdd(set<T>(k * k / 2), n, set<T>(-k)), one);
  const Vec<T> slope = hn::MulAdd(
      n, hn::MulAdd(n, hn::MulAdd(set<T>(k * k * k / 2), n, set<T>(k * k / 2)), set<T>(-k)), one);
  const Vec<T> curvature = n * n * hn::MulAdd(set<T>(k * k * k * k / 2), n, set<T>(2 * k * k * k));
  return {hn::MulAdd(n * e, cubic, hn::Max(z, zero)), e * slope, e * curvature};
}

template <class T>
HWY_INLINE Jet<T> relu(Vec<T> z) {
  const Vec<T> zero = hn::Zero(Tag<T>());
  return {hn::Max(z, zero), hn::IfThenElseZero(z > zero, set<T>(1.0)), zero};
}

template <class T>
HWY_INLINE Jet<T> elu(Vec<T> z) {
  const Vec<T> zero = hn::Zero(Tag<T>());
  const Vec<T> below = hn::Min(z, zero);
  const Vec<T> e = exp_of<T>(below);
  return {hn::Max(z, zero) + hn::Expm1(Tag<T>(), below), e, hn::IfThenElseZero(z < zero, e)};
}

template <class T>
HWY_INLINE Jet<T> tanh_jet(Vec<T> z) {
  const Vec<T> value = hn::Tanh(Tag<T>(), z);
  const Vec<T> slope = hn::NegMulAdd(value, value, set<T>(1.0));
  return {value, slope, set<T>(-2.0) * value * slope};
}

template <class T>
HWY_INLINE Jet<T> softplus(Vec<T> z) {
  const Tag<T> d;
  const Vec<T> one = set<T>(1.0);
  const Vec<T> e = exp_below_zero<T>(hn::Neg(hn::Abs(z)));
  const Vec<T> high = reciprocal<T>(one + e), low = e * high;
  const auto positive = z >= hn::Zero(d);
  const Vec<T> slope = hn::IfThenElse(positive, high, low);
  return {hn::Max(z, hn::Zero(d)) + hn::Log1p(d, e), slope, high * low};
}

template <class T>
HWY_INLINE Jet<T> sine(Vec<T> z) {
  const Vec<T> value = hn::Sin(Tag<T>(), z);
  return {value, hn::Cos(Tag<T>(), z), hn::Neg(value)};
}

/// What an activation appends for one pre-activation: one jet, or two (derivatives with respect to
/// z in both).
template <class T>
struct JetPair {
  Jet<T> first, second;
};

template <Activation kKind, class T>
HWY_INLINE JetPair<T> jets(Vec<T> z, Vec<T> beta) {
  (void)beta;
  JetPair<T> out;
  if constexpr (kKind == Activation::kElu) out.first = elu<T>(z);
  if constexpr (kKind == Activation::kTanh) out.first = tanh_jet<T>(z);
  if constexpr (kKind == Activation::kSoftplus) out.first = softplus<T>(z);
  if constexpr (kKind == Activation::kSin) out.first = sine<T>(z);
  if constexpr (kKind == Activation::kSwish) out.first = swish_pair<T>(z, beta).at;
  if constexpr (kKind == Activation::kLipSwish)
    out.first = scale<T>(swish_pair<T>(z, beta).at, 1 / 1.1);
  if constexpr (kKind == Activation::kPila) out.first = pila<T>(z);
  if constexpr (kKind == Activation::kClipSwish) {
    const SwishPair<T> pair = swish_pair<T>(z, beta);
    out = {scale<T>(pair.at, 1 / 1.1 / 1.004), scale<T>(pair.opposite, 1 / 1.1 / 1.004)};
    out.second.slope = hn::Neg(out.second.slope);
  }
  if constexpr (kKind == Activation::kCRelu || kKind == Activation::kCPila) {
    if constexpr (kKind == Activation::kCRelu) {
      out = {relu<T>(z), relu<T>(hn::Neg(z))};
    } else {
      const Vec<T> shift = set<T>(0.2);
      out = {scale<T>(pila<T>(z - shift), 1 / 1.06),
             scale<T>(pila<T>(hn::Neg(z) - shift), 1 / 1.06)};
    }
    out.second.slope = hn::Neg(out.second.slope);
  }
  return out;
}

/// Calls f.template operator()<kind>() for the activation at hand.
template <class F>
HWY_INLINE void with_activation(Activation kind, F&& f) {
  switch (kind) {
    case Activation::kElu:
      return f.template run<Activation::kElu>();
    case Activation::kTanh:
      return f.template run<Activation::kTanh>();
    case Activation::kSoftplus:
      return f.template run<Activation::kSoftplus>();
    case Activation::kSin:
      return f.template run<Activation::kSin>();
    case Activation::kSwish:
      return f.template run<Activation::kSwish>();
    case Activation::kLipSwish:
      return f.template run<Activation::kLipSwish>();
    case Activation::kPila:
      return f.template run<Activation::kPila>();
    case Activation::kCRelu:
      return f.template run<Activation::kCRelu>();
    case Activation::kClipSwish:
      return f.template run<Activation::kClipSwish>();
    case Activation::kCPila:
      return f.template run<Activation::kCPila>();
    case Activation::kMaxMin:
    case Activation::kFullSort:
      break;  // never lowered
  }
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
