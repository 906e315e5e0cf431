// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "contraflow/kernels/jets.cpp"
#include "contraflow/kernels/tile/targets.h"
// clang-format off: the targets come first
#include <hwy/foreach_target.h>
// clang-format on

#include <algorithm>

#include "contraflow/core/parallel.h"
#include "contraflow/kernels/jets.h"
#include "contraflow/kernels/tile/activations-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

constexpr int64_t kPiece = 256;  // elements at a time: a multiple of every vector

// Some elements in a row: jets of z in scratch, from where they go to their places.
template <class T>
class JetPiece {
 public:
  explicit JetPiece(const JetCall<T>& call)
      : call_(call), halves_(static_cast<int>(expansion(call.kind))) {}

  /// Elements begin .. begin + count - 1 of z, count <= kPiece.
  void run(int64_t begin, int64_t count) {
    std::copy_n(call_.z + begin, count, z_);
    std::fill(z_ + count, z_ + padded(count), T(0));
    count_ = count;
    with_activation(call_.kind, *this);
    for (int h = 0; h < halves_; ++h) {
      write(value_[h], begin, h, call_.value);
      write(slope_[h], begin, h, call_.slope);
      write(curvature_[h], begin, h, call_.curvature);
    }
  }

  template <Activation kKind>
  HWY_INLINE void run() {
    if (call_.slope == nullptr && call_.curvature == nullptr) return compute<kKind, false>();
    compute<kKind, true>();
  }

 private:
  static int64_t padded(int64_t count) {
    return (count + lanes<T>() - 1) / lanes<T>() * lanes<T>();
  }

  template <Activation kKind, bool kDerivatives>
  HWY_NOINLINE void compute() {
    const Vec<T> beta = set<T>(call_.beta);
    for (int64_t k = 0; k < count_; k += lanes<T>()) {
      const Vec<T> z = load(z_ + k);
      const JetPair<T> pair = jets<kKind, T>(z, beta);
      keep<kDerivatives>(pair.first, z, 0, k);
      if (halves_ > 1) keep<kDerivatives>(pair.second, z, 1, k);
    }
  }

  template <bool kDerivatives>
  HWY_INLINE void keep(const Jet<T>& jet, Vec<T> z, int h, int64_t k) {
    store(hn::IfThenElse(z == z, jet.value, z), value_[h] + k);  // a maximum may drop a NaN
    if constexpr (kDerivatives) {
      store(jet.slope, slope_[h] + k);
      store(jet.curvature, curvature_[h] + k);
    }
  }

  void write(const T* from, int64_t begin, int h, T* to) const {
    if (to == nullptr) return;
    if (halves_ == 1) {
      std::copy_n(from, count_, to + begin);
      return;
    }
    for (int64_t k = 0; k < count_;) {  // row by row: the halves stand beside each other
      const int64_t row = (begin + k) / call_.features, feature = (begin + k) % call_.features;
      const int64_t length = std::min(count_ - k, call_.features - feature);
      std::copy_n(from + k, length, to + (2 * row + h) * call_.features + feature);
      k += length;
    }
  }

  const JetCall<T>& call_;
  int halves_;
  int64_t count_ = 0;
  HWY_ALIGN T z_[kPiece];
  HWY_ALIGN T value_[2][kPiece];
  HWY_ALIGN T slope_[2][kPiece];
  HWY_ALIGN T curvature_[2][kPiece];
};

template <class T>
void run(const JetCall<T>& call) {
  constexpr int64_t kGrain = 64;  // pieces: 20 us
  const int64_t count = call.rows * call.features;
  parallel_for(0, (count + kPiece - 1) / kPiece, kGrain, [&](int64_t begin, int64_t end) {
    JetPiece<T> piece(call);
    for (int64_t p = begin; p < end; ++p)
      piece.run(p * kPiece, std::min(kPiece, count - p * kPiece));
  });
}

void jets_f32(const JetCall<float>& call) { run(call); }
void jets_f64(const JetCall<double>& call) { run(call); }

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace contraflow::kernels {

HWY_EXPORT(jets_f32);
HWY_EXPORT(jets_f64);

void run_jets(const JetCall<float>& call) { HWY_DYNAMIC_DISPATCH(jets_f32)(call); }
void run_jets(const JetCall<double>& call) { HWY_DYNAMIC_DISPATCH(jets_f64)(call); }

}  // namespace contraflow::kernels
#endif
