// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "contraflow/kernels/cholesky.cpp"
#include "contraflow/kernels/tile/targets.h"
// clang-format off: the targets come first
#include <hwy/foreach_target.h>
// clang-format on

#include <algorithm>
#include <cmath>

#include "contraflow/kernels/cholesky.h"
#include "contraflow/kernels/tile/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

// Rows are kept negated, -(shift I - g) + R^T R, so that updates are sums, as product_rows() has
// them. R then comes out with its rows negated, and R^T R does not see that.

// The square tile on the diagonal, of `count` rows that matter; false when a pivot is not positive.
HWY_INLINE bool factorise_tile(Panel<double> tile, int64_t count, double* inverse) {
  for (int64_t k = 0; k < count; ++k) {
    double* pivot_row = tile.row(k);
    const double pivot = -pivot_row[k];
    if (!(pivot > 0)) return false;
    inverse[k] = 1 / std::sqrt(pivot);
    for (int64_t j = k; j < count; ++j) pivot_row[j] *= inverse[k];
    for (int64_t i = k + 1; i < count; ++i) {
      double* row = tile.row(i);
      for (int64_t j = i; j < count; ++j) row[j] += pivot_row[i] * pivot_row[j];
    }
  }
  return true;
}

// The columns `begin` to `end` beside a factorised tile: each vector stays in registers.
HWY_INLINE void solve_beside(Panel<double> rows, const double* inverse, int64_t begin,
                             int64_t end) {
  constexpr int64_t kLanes = lanes<double>();
  for (int64_t c = begin; c < end; c += kLanes) {
    Vec<double> v[kRows];
#pragma GCC unroll 8
    for (int64_t k = 0; k < kRows; ++k) v[k] = load(rows.row(k) + c);
#pragma GCC unroll 8
    for (int64_t k = 0; k < kRows; ++k) {
      v[k] = hn::Mul(v[k], set<double>(inverse[k]));
#pragma GCC unroll 8
      for (int64_t i = k + 1; i < kRows; ++i)
        v[i] = hn::MulAdd(set<double>(rows.row(k)[i]), v[k], v[i]);
    }
#pragma GCC unroll 8
    for (int64_t k = 0; k < kRows; ++k) store(v[k], rows.row(k) + c);
  }
}

bool succeeds(const DenseMatrix& g, double shift, const DenseMatrix& factor) {
  const int64_t n = g.columns, width = dense_padded(n);
  for (int64_t k = 0; k < n; k += kRows) {
    const int64_t count = std::min(kRows, n - k);
    const Panel<double> above = Panel<double>{factor.data, factor.stride}.columns_from(k);
    const Panel<double> rows = above.rows_from(k);
    for (int64_t r = 0; r < kRows; ++r) {
      std::copy_n(g.data + (k + r) * g.stride + k, width - k, rows.row(r));
      rows.row(r)[r] -= shift;
    }
    product_rows<kRows, true>(Factor<double>{above.data, 1, above.stride}, k, above, rows,
                              (width - k) / lanes<double>());
    double inverse[kRows];
    if (!factorise_tile(rows, count, inverse)) return false;
    if (count == kRows) solve_beside(rows, inverse, kRows, width - k);
  }
  return true;
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace contraflow::kernels {

HWY_EXPORT(succeeds);

bool cholesky_succeeds(const DenseMatrix& g, double shift, const DenseMatrix& factor) {
  return HWY_DYNAMIC_DISPATCH(succeeds)(g, shift, factor);
}

}  // namespace contraflow::kernels
#endif
