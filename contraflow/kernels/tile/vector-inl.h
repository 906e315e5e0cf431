// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_VECTOR_INL_H_
#undef CONTRAFLOW_TILE_VECTOR_INL_H_
#else
#define CONTRAFLOW_TILE_VECTOR_INL_H_
#endif

#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vec = hn::Vec<Tag<T>>;

/// Samples per vector.
template <class T>
HWY_INLINE constexpr int64_t lanes() {
  return static_cast<int64_t>(hn::MaxLanes(Tag<T>()));
}

template <class T>
HWY_INLINE Vec<T> set(double value) {
  return hn::Set(Tag<T>(), static_cast<T>(value));
}
template <class T>
HWY_INLINE Vec<T> load(const T* p) {
  return hn::Load(Tag<T>(), p);
}
template <class T>
HWY_INLINE void store(Vec<T> v, T* p) {
  hn::Store(v, Tag<T>(), p);
}
template <class T>
HWY_INLINE T sum_lanes(Vec<T> v) {
  return hn::GetLane(hn::SumOfLanes(Tag<T>(), v));
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
