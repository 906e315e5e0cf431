// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "contraflow/kernels/activation_passes.cpp"
#include "contraflow/kernels/tile/targets.h"
// clang-format off: the targets come first
#include <hwy/foreach_target.h>
// clang-format on

#include <algorithm>
#include <numeric>
#include <vector>

#include "contraflow/core/parallel.h"
#include "contraflow/kernels/activation_passes.h"
#include "contraflow/kernels/tile/activations-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

constexpr int64_t kRangeElements = 16384;  // that a thread takes at least: 20 us

// Vectors from and to anywhere; `left` numbers are there, zeros stand for the others.
template <class T>
HWY_INLINE Vec<T> get(const T* p, int64_t left) {
  if (left >= lanes<T>()) return hn::LoadU(Tag<T>(), p);
  HWY_ALIGN T some[lanes<T>()] = {};
  std::copy_n(p, left, some);
  return load(some);
}
template <class T>
HWY_INLINE void put(Vec<T> v, T* p, int64_t left) {
  if (left >= lanes<T>()) return hn::StoreU(v, Tag<T>(), p);
  HWY_ALIGN T some[lanes<T>()];
  store(v, some);
  std::copy_n(some, left, p);
}

// Some rows of a call. An activation that is not concatenating sees one long row, which is cut.
template <class T>
class ReverseRows {
 public:
  explicit ReverseRows(const ReverseCall<T>& call)
      : call_(call), count_(call.rows * call.features) {
    constexpr int64_t kPiece = 1024;
    length_ = expansion(call.kind) > 1 ? call.features : kPiece;
  }

  int64_t rows() const { return (count_ + length_ - 1) / length_; }
  int64_t length() const { return length_; }

  void run(int64_t begin, int64_t end, double* sums) {
    begin_ = begin;
    end_ = end;
    sums_ = sums;
    with_activation(call_.kind, *this);
  }

  template <Activation kKind>
  HWY_NOINLINE void run() {
    for (int64_t r = begin_; r < end_; ++r) sums_[r] = static_cast<double>(run_row<kKind>(r));
  }

 private:
  template <Activation kKind>
  HWY_INLINE T run_row(int64_t row) const {
    const int64_t begin = row * length_, length = std::min(length_, count_ - begin);
    const Vec<T> beta = set<T>(call_.beta);
    Vec<T> sum = set<T>(0.0);
    for (int64_t k = 0; k < length; k += lanes<T>()) {
      const int64_t left = length - k;
      const Vec<T> z = get(call_.z + begin + k, left);
      const JetPair<T> jet = jets<kKind, T>(z, beta);
      if constexpr (expansion(kKind) > 1) {
        pair(jet, z, begin + k, 2 * begin + k, left, sum);
      } else {
        single(jet.first, z, begin + k, left, sum);
      }
    }
    return sum_lanes<T>(sum);
  }

  HWY_INLINE void single(const Jet<T>& jet, Vec<T> z, int64_t at, int64_t left, Vec<T>& sum) const {
    Vec<T> bending = set<T>(0.0);
    for (int64_t p = 0; p < call_.probes; ++p) {
      const Vec<T> e = get(call_.tangent_bar + p * count_ + at, left);
      bending = hn::MulAdd(e, get(call_.tangent + p * count_ + at, left), bending);
      put(guarded(e * jet.slope, z), call_.tangent_down + p * count_ + at, left);
    }
    Vec<T> value = bending * jet.curvature;
    sum = hn::MulAdd(value, z, sum);
    if (call_.value_bar != nullptr) add_value(jet, z, get(call_.value_bar + at, left), value, sum);
    put(guarded(value, z), call_.value + at, left);
  }

  // `at` is a place among z's numbers, `first` that of the first half's among the activation's.
  HWY_INLINE void pair(const JetPair<T>& jet, Vec<T> z, int64_t at, int64_t first, int64_t left,
                       Vec<T>& sum) const {
    const int64_t second = first + call_.features;
    Vec<T> bending1 = set<T>(0.0), bending2 = bending1;
    for (int64_t p = 0; p < call_.probes; ++p) {
      const Vec<T> e1 = get(call_.tangent_bar + 2 * p * count_ + first, left);
      const Vec<T> e2 = get(call_.tangent_bar + 2 * p * count_ + second, left);
      const Vec<T> t = get(call_.tangent + p * count_ + at, left);
      bending1 = hn::MulAdd(e1, t, bending1);
      bending2 = hn::MulAdd(e2, t, bending2);
      const Vec<T> down = hn::MulAdd(e2, jet.second.slope, e1 * jet.first.slope);
      put(guarded(down, z), call_.tangent_down + p * count_ + at, left);
    }
    Vec<T> value = hn::MulAdd(bending2, jet.second.curvature, bending1 * jet.first.curvature);
    sum = hn::MulAdd(value, z, sum);
    if (call_.value_bar != nullptr) {
      add_value(jet.first, z, get(call_.value_bar + first, left), value, sum);
      add_value(jet.second, z, get(call_.value_bar + second, left), value, sum);
    }
    put(guarded(value, z), call_.value + at, left);
  }

  static HWY_INLINE void add_value(const Jet<T>& jet, Vec<T> z, Vec<T> bar, Vec<T>& value,
                                   Vec<T>& sum) {
    value = hn::MulAdd(bar, jet.slope, value);
    sum = hn::MulAdd(bar, hn::MulSub(z, jet.slope, jet.value), sum);
  }

  // A maximum within a jet may drop a NaN.
  static HWY_INLINE Vec<T> guarded(Vec<T> v, Vec<T> z) { return hn::IfThenElse(z == z, v, z); }

  const ReverseCall<T>& call_;
  int64_t count_;
  int64_t length_ = 0;
  int64_t begin_ = 0, end_ = 0;
  double* sums_ = nullptr;
};

template <class T>
double reverse(const ReverseCall<T>& call) {
  const ReverseRows<T> whole(call);
  std::vector<double> sums(static_cast<size_t>(whole.rows()));  // in an order of their own
  parallel_for(0, whole.rows(), kRangeElements / whole.length() + 1,
               [&](int64_t begin, int64_t end) {
                 ReverseRows<T> rows(call);
                 rows.run(begin, end, sums.data());
               });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}
double reverse_f32(const ReverseCall<float>& call) { return reverse(call); }
double reverse_f64(const ReverseCall<double>& call) { return reverse(call); }

// Calls `row(slopes, in, out)` for each row of each probe.
template <class T, class Row>
void for_each_row(const SlopeCall<T>& call, int64_t in_width, int64_t out_width, const Row& row) {
  const int64_t slopes = 2 * call.features;
  parallel_for(0, call.probes * call.rows, kRangeElements / slopes + 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; ++r)
                   row(call.slope + r % call.rows * slopes, call.in + r * in_width,
                       call.out + r * out_width);
               });
}

template <class T>
void slope_jvp(const SlopeCall<T>& call) {
  const int64_t f = call.features;
  for_each_row(call, f, 2 * f, [f](const T* slope, const T* t, T* out) HWY_ATTR {
    for (int64_t k = 0; k < f; k += lanes<T>()) {
      const int64_t left = f - k;
      const Vec<T> v = get(t + k, left);
      put(v * get(slope + k, left), out + k, left);
      put(v * get(slope + f + k, left), out + f + k, left);
    }
  });
}
void slope_jvp_f32(const SlopeCall<float>& call) { slope_jvp(call); }
void slope_jvp_f64(const SlopeCall<double>& call) { slope_jvp(call); }

template <class T>
void slope_vjp(const SlopeCall<T>& call) {
  const int64_t f = call.features;
  for_each_row(call, 2 * f, f, [f](const T* slope, const T* u, T* out) HWY_ATTR {
    for (int64_t k = 0; k < f; k += lanes<T>()) {
      const int64_t left = f - k;
      const Vec<T> first = get(u + k, left) * get(slope + k, left);
      put(hn::MulAdd(get(u + f + k, left), get(slope + f + k, left), first), out + k, left);
    }
  });
}
void slope_vjp_f32(const SlopeCall<float>& call) { slope_vjp(call); }
void slope_vjp_f64(const SlopeCall<double>& call) { slope_vjp(call); }

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace contraflow::kernels {

HWY_EXPORT(reverse_f32);
HWY_EXPORT(reverse_f64);
HWY_EXPORT(slope_jvp_f32);
HWY_EXPORT(slope_jvp_f64);
HWY_EXPORT(slope_vjp_f32);
HWY_EXPORT(slope_vjp_f64);

double run_reverse(const ReverseCall<float>& call) {
  return HWY_DYNAMIC_DISPATCH(reverse_f32)(call);
}
double run_reverse(const ReverseCall<double>& call) {
  return HWY_DYNAMIC_DISPATCH(reverse_f64)(call);
}
void run_slope_jvp(const SlopeCall<float>& call) { HWY_DYNAMIC_DISPATCH(slope_jvp_f32)(call); }
void run_slope_jvp(const SlopeCall<double>& call) { HWY_DYNAMIC_DISPATCH(slope_jvp_f64)(call); }
void run_slope_vjp(const SlopeCall<float>& call) { HWY_DYNAMIC_DISPATCH(slope_vjp_f32)(call); }
void run_slope_vjp(const SlopeCall<double>& call) { HWY_DYNAMIC_DISPATCH(slope_vjp_f64)(call); }

}  // namespace contraflow::kernels
#endif
