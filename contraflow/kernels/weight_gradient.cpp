// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "contraflow/kernels/weight_gradient.cpp"
#include "contraflow/kernels/tile/targets.h"
// clang-format off: the targets come first
#include <hwy/foreach_target.h>
// clang-format on

#include "contraflow/kernels/tile/gemm-inl.h"
#include "contraflow/kernels/weight_gradient.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

constexpr int64_t kStrip = 8;     // inputs at a time: a vector of doubles
constexpr int64_t kColumns = 64;  // outputs at a time

template <class T>
struct WeightGradient {
  const T* g;
  const T* w;
  const T* factor;
  int64_t outputs, inputs;
  T* weight_bar;
  double* sums;

  // Inputs i .. i + kStrip - 1 and outputs first .. first + count - 1, g transposed in `columns`.
  HWY_INLINE void add_strip(const T* columns, int64_t i, int64_t first, int64_t count) const {
    const hn::CappedTag<double, kStrip> wide;
    const hn::Rebind<T, decltype(wide)> d;
    const auto n = static_cast<int64_t>(hn::Lanes(d));
    for (int64_t part = 0; part < kStrip; part += n) {
      const auto f = hn::LoadU(d, factor + i + part);
      auto sum = hn::LoadU(wide, sums + i + part);
      for (int64_t o = 0; o < count; ++o) {
        const int64_t at = (first + o) * inputs + i + part;
        const auto value = hn::LoadU(d, columns + o * kStrip + part);
        hn::StoreU(hn::MulAdd(f, value, hn::LoadU(d, weight_bar + at)), d, weight_bar + at);
        sum = sum + widen(wide, value * hn::LoadU(d, w + at));
      }
      hn::StoreU(sum, wide, sums + i + part);
    }
  }

  template <class Wide, class V>
  static HWY_INLINE hn::Vec<Wide> widen(Wide wide, V v) {
    if constexpr (sizeof(T) == 8) {
      (void)wide;
      return v;
    } else {
      return hn::PromoteTo(wide, v);
    }
  }

  void add_single(int64_t i) const {
    double sum = 0.0;
    for (int64_t o = 0; o < outputs; ++o) {
      const T value = g[i * outputs + o];
      weight_bar[o * inputs + i] += factor[i] * value;
      sum += static_cast<double>(value * w[o * inputs + i]);
    }
    sums[i] = sum;
  }

  void add() const {
    HWY_ALIGN T columns[kColumns * kStrip];
    int64_t i = 0;
    for (; i + kStrip <= inputs; i += kStrip) {
      std::fill_n(sums + i, kStrip, 0.0);
      for (int64_t first = 0; first < outputs; first += kColumns) {
        const int64_t count = std::min(kColumns, outputs - first);
        transpose(Panel<T>{const_cast<T*>(g) + i * outputs + first, outputs}, kStrip, count,
                  columns, kStrip);
        add_strip(columns, i, first, count);
      }
    }
    for (; i < inputs; ++i) add_single(i);
  }
};

void add_f32(const float* g, const float* w, const float* factor, int64_t outputs, int64_t inputs,
             float* weight_bar, double* sums) {
  WeightGradient<float>{g, w, factor, outputs, inputs, weight_bar, sums}.add();
}
void add_f64(const double* g, const double* w, const double* factor, int64_t outputs,
             int64_t inputs, double* weight_bar, double* sums) {
  WeightGradient<double>{g, w, factor, outputs, inputs, weight_bar, sums}.add();
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace contraflow::kernels {

HWY_EXPORT(add_f32);
HWY_EXPORT(add_f64);

void add_weight_gradient(const float* g, const float* w, const float* factor, int64_t outputs,
                         int64_t inputs, float* weight_bar, double* sums) {
  HWY_DYNAMIC_DISPATCH(add_f32)(g, w, factor, outputs, inputs, weight_bar, sums);
}
void add_weight_gradient(const double* g, const double* w, const double* factor, int64_t outputs,
                         int64_t inputs, double* weight_bar, double* sums) {
  HWY_DYNAMIC_DISPATCH(add_f64)(g, w, factor, outputs, inputs, weight_bar, sums);
}

}  // namespace contraflow::kernels
#endif
