// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_TWO_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_TWO_INL_H_
#undef CONTRAFLOW_TILE_TWO_INL_H_
#else
#define CONTRAFLOW_TILE_TWO_INL_H_
#endif

#include "contraflow/kernels/tile/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

/// A value carried from step to step as the sum of two numbers, high its rounding: the states of a
/// long chain are then not rounded to float32 at every step, which would cost an inverse most of
/// its accuracy. In float64 low stays zero.
template <class T>
struct Two {
  Vec<T> high, low;
};

template <class T>
struct TwoPanel {
  Panel<T> high, low;
};

template <class T>
constexpr bool kCarriesLow = sizeof(T) == 4;

// high + low for |high| >= |low|, without error (Dekker 1971).
template <class T>
HWY_INLINE Two<T> normalised(Vec<T> high, Vec<T> low) {
  const Vec<T> sum = high + low;
  return {sum, low - (sum - high)};
}

template <class T>
HWY_INLINE Two<T> load_two(TwoPanel<T> p, int64_t r, int64_t c) {
  if constexpr (!kCarriesLow<T>) return {load(p.high.row(r) + c), hn::Zero(Tag<T>())};
  return {load(p.high.row(r) + c), load(p.low.row(r) + c)};
}

template <class T>
HWY_INLINE void store_two(Two<T> v, TwoPanel<T> p, int64_t r, int64_t c) {
  store(v.high, p.high.row(r) + c);
  if constexpr (kCarriesLow<T>) store(v.low, p.low.row(r) + c);
}

// a + b for any a and b (Knuth's two-sum).
template <class T>
HWY_INLINE Two<T> plus(Two<T> a, Vec<T> b) {
  if constexpr (!kCarriesLow<T>) return {a.high + b, a.low};
  const Vec<T> sum = a.high + b;
  const Vec<T> of_b = sum - a.high;
  const Vec<T> error = (a.high - (sum - of_b)) + (b - of_b);
  return normalised<T>(sum, error + a.low);
}

template <class T>
HWY_INLINE Two<T> plus(Two<T> a, Two<T> b) {
  Two<T> sum = plus<T>(a, b.high);
  if constexpr (kCarriesLow<T>) sum = normalised<T>(sum.high, sum.low + b.low);
  return sum;
}

// factor a, for a factor that float32 need not hold.
template <class T>
HWY_INLINE Two<T> times(double factor, Two<T> a) {
  const Vec<T> high = set<T>(factor);
  if constexpr (!kCarriesLow<T>) return {high * a.high, a.low};
  const Vec<T> low = set<T>(factor - static_cast<double>(static_cast<T>(factor)));
  const Vec<T> product = high * a.high;
  const Vec<T> error = hn::MulSub(high, a.high, product);
  return normalised<T>(product, hn::MulAdd(high, a.low, hn::MulAdd(low, a.high, error)));
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
