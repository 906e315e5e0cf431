// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "contraflow/kernels/cholesky.cpp"
#include "contraflow/kernels/tile/targets.h"
// clang-format off: the targets come first
#include <hwy/foreach_target.h>
// clang-format on

#include <hwy/highway.h>

#include <cmath>

#include "contraflow/kernels/cholesky.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Wide = hn::ScalableTag<double>;

// row[j] -= factor * pivot_row[j] for begin <= j < n.
HWY_INLINE void subtract(double factor, const double* pivot_row, double* row, int64_t begin,
                         int64_t n) {
  const Wide d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto f = hn::Set(d, factor);
  int64_t j = begin;
  for (; j + lanes <= n; j += lanes)
    hn::StoreU(hn::NegMulAdd(f, hn::LoadU(d, pivot_row + j), hn::LoadU(d, row + j)), d, row + j);
  for (; j < n; ++j) row[j] -= factor * pivot_row[j];
}

bool succeeds(double* a, int64_t n) {
  for (int64_t k = 0; k < n; ++k) {
    double* pivot_row = a + k * n;
    if (!(pivot_row[k] > 0)) return false;
    const double inverse = 1 / std::sqrt(pivot_row[k]);
    for (int64_t j = k; j < n; ++j) pivot_row[j] *= inverse;
    for (int64_t i = k + 1; i < n; ++i) subtract(pivot_row[i], pivot_row, a + i * n, i, n);
  }
  return true;
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace contraflow::kernels {

HWY_EXPORT(succeeds);

bool cholesky_succeeds(double* a, int64_t n) { return HWY_DYNAMIC_DISPATCH(succeeds)(a, n); }

}  // namespace contraflow::kernels
#endif
