// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "contraflow/kernels/dense.cpp"
#include "contraflow/kernels/tile/targets.h"
// clang-format off: the targets come first
#include <hwy/foreach_target.h>
// clang-format on

#include <algorithm>
#include <cmath>
#include <limits>

#include "contraflow/kernels/dense.h"
#include "contraflow/kernels/tile/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

constexpr int64_t kLanes = lanes<double>();

HWY_INLINE Panel<double> panel(const DenseMatrix& a) { return {a.data, a.stride}; }

template <class T>
double largest(const T* w, int64_t count) {
  const Tag<T> d;
  constexpr int64_t n = lanes<T>();
  const Vec<T> zero = hn::Zero(d);
  Vec<T> most = zero, poison = zero;  // an infinity or a NaN times zero is a NaN, and stays one
  int64_t i = 0;
  for (; i + n <= count; i += n) {
    const Vec<T> v = hn::LoadU(d, w + i);
    most = hn::Max(most, hn::Abs(v));
    poison = hn::MulAdd(v, zero, poison);
  }
  double out = hn::GetLane(hn::MaxOfLanes(d, most));
  double sum = sum_lanes<T>(poison);
  for (; i < count; ++i) {
    out = std::max(out, static_cast<double>(std::abs(w[i])));
    sum += static_cast<double>(w[i]) * 0.0;
  }
  return sum == 0 ? out : std::numeric_limits<double>::quiet_NaN();
}
double largest_f32(const float* w, int64_t count) { return largest(w, count); }
double largest_f64(const double* w, int64_t count) { return largest(w, count); }

HWY_INLINE Vec<double> load_wide(const double* p) { return hn::LoadU(Tag<double>(), p); }
HWY_INLINE Vec<double> load_wide(const float* p) {
  const hn::Rebind<float, Tag<double>> narrow;
  return hn::PromoteTo(Tag<double>(), hn::LoadU(narrow, p));
}

// to = from times the factor
template <class T>
HWY_INLINE void convert(const T* from, int64_t count, double factor, double* to) {
  const auto f = hn::Set(Tag<double>(), factor);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(hn::Mul(f, load_wide(from + i)), to + i);
  for (; i < count; ++i) to[i] = static_cast<double>(from[i]) * factor;
}

// Rows of w become columns of out, a vector of them at a time.
template <class T>
void load_transposed(const T* w, int64_t rows, int64_t cols, double factor, Panel<double> out) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr int64_t kStrip = 64;  // columns; converted ones wait in the first-level cache
  HWY_ALIGN double strip[kLanes * kStrip] = {};
  for (; r + kLanes <= rows; r += kLanes) {
    for (int64_t begin = 0; begin < cols; begin += kStrip) {
      const int64_t count = std::min(kStrip, cols - begin);
      for (int64_t k = 0; k < kLanes; ++k)
        convert(w + (r + k) * cols + begin, count, factor, strip + k * kStrip);
      for (int64_t c = 0; c < count; c += kLanes) {
        transpose_square(Tag<double>(), Panel<double>{strip + c, kStrip}, out.row(begin + c) + r,
                         out.stride);
      }
    }
  }
#endif
  for (int64_t c = 0; c < cols; ++c) {
    for (int64_t k = r; k < rows; ++k)
      out.row(c)[k] = static_cast<double>(w[k * cols + c]) * factor;
    std::fill(out.row(c) + rows, out.row(c) + dense_padded(rows), 0.0);
  }
}

template <class T>
void tall(const T* w, int64_t rows, int64_t cols, double factor, const DenseMatrix& out) {
  if (cols > rows) return load_transposed(w, rows, cols, factor, panel(out));
  for (int64_t r = 0; r < rows; ++r) {
    double* to = panel(out).row(r);
    convert(w + r * cols, cols, factor, to);
    std::fill(to + cols, to + dense_padded(cols), 0.0);
  }
}
void tall_f32(const float* w, int64_t rows, int64_t cols, double factor, const DenseMatrix& out) {
  tall(w, rows, cols, factor, out);
}
void tall_f64(const double* w, int64_t rows, int64_t cols, double factor, const DenseMatrix& out) {
  tall(w, rows, cols, factor, out);
}

// The upper triangle, in whole tiles of rows, copied below; the tiles on the diagonal are whole.
void mirror(Panel<double> g, int64_t n) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t r = 0; r < n; ++r) {
    for (int64_t c = r + 1; c < n; ++c) g.row(c)[r] = g.row(r)[c];
  }
#else
  static_assert(kRows % kLanes == 0);
  for (int64_t r = 0; r < n; r += kLanes) {
    for (int64_t c = r / kRows * kRows + kRows; c < n; c += kLanes) {
      transpose_square(Tag<double>(), g.rows_from(r).columns_from(c), g.row(c) + r, g.stride);
    }
  }
#endif
}

void gram(const DenseMatrix& u, const DenseMatrix& g) {
  constexpr int64_t kCached = int64_t{1} << 16;  // numbers of u that a pass keeps near
  const int64_t n = dense_padded(u.columns);
  const int64_t depth = std::max<int64_t>(32, kCached / std::max<int64_t>(n, 1));
  for (int64_t r = 0; r < n; ++r) std::fill_n(panel(g).row(r), n, 0.0);
  for (int64_t k = 0; k < u.rows; k += depth) {
    const Panel<double> rows = panel(u).rows_from(k);
    for (int64_t r = 0; r < n; r += kRows) {
      product_rows<kRows, true>(Factor<double>{rows.data + r, 1, u.stride},
                                std::min(depth, u.rows - k), rows.columns_from(r),
                                panel(g).rows_from(r).columns_from(r), (n - r) / kLanes);
    }
  }
  mirror(panel(g), n);
}

// C vectors of x^T a.
template <int C>
HWY_INLINE void left_columns(const double* HWY_RESTRICT x, Panel<double> a, int64_t rows,
                             double* HWY_RESTRICT y) {
  Vec<double> even[C], odd[C];
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) even[c] = odd[c] = hn::Zero(Tag<double>());
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) {
    const auto first = hn::Set(Tag<double>(), x[r]), second = hn::Set(Tag<double>(), x[r + 1]);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      even[c] = hn::MulAdd(first, load(a.row(r) + c * kLanes), even[c]);
      odd[c] = hn::MulAdd(second, load(a.row(r + 1) + c * kLanes), odd[c]);
    }
  }
  if (r < rows) {
    const auto last = hn::Set(Tag<double>(), x[r]);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) even[c] = hn::MulAdd(last, load(a.row(r) + c * kLanes), even[c]);
  }
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) store(hn::Add(even[c], odd[c]), y + c * kLanes);
}

void left(const double* x, const DenseMatrix& a, double* y) {
  const int64_t vectors = dense_padded(a.columns) / kLanes;
  int64_t c = 0;
  const auto at = [&] { return panel(a).columns_from(c * kLanes); };
  for (; c + 4 <= vectors; c += 4) left_columns<4>(x, at(), a.rows, y + c * kLanes);
  for (; c + 2 <= vectors; c += 2) left_columns<2>(x, at(), a.rows, y + c * kLanes);
  if (c < vectors) left_columns<1>(x, at(), a.rows, y + c * kLanes);
}

// R inner products with one vector, added to out.
template <int R>
HWY_INLINE void inner_products(Panel<double> rows, const double* x, int64_t n, double* out) {
  Vec<double> sum[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) sum[r] = hn::Zero(Tag<double>());
  for (int64_t c = 0; c < n; c += kLanes) {
    const Vec<double> v = load(x + c);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[r] = hn::MulAdd(v, load(rows.row(r) + c), sum[r]);
  }
  if constexpr (R == 4) {
    add_sums(sum, out);
  } else {
    for (int r = 0; r < R; ++r) out[r] += sum_lanes<double>(sum[r]);
  }
}

void right(const DenseMatrix& a, const double* x, double* y) {
  const int64_t n = dense_padded(a.columns);
  std::fill_n(y, a.rows, 0.0);
  int64_t r = 0;
  for (; r + 4 <= a.rows; r += 4) inner_products<4>(panel(a).rows_from(r), x, n, y + r);
  for (; r < a.rows; ++r) inner_products<1>(panel(a).rows_from(r), x, n, y + r);
}

double inner(const double* x, const double* y, int64_t n) {
  Vec<double> sum[4];
  for (auto& s : sum) s = hn::Zero(Tag<double>());
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k)
      sum[k] = hn::MulAdd(load(x + i + k * kLanes), load(y + i + k * kLanes), sum[k]);
  }
  for (; i < n; i += kLanes) sum[0] = hn::MulAdd(load(x + i), load(y + i), sum[0]);
  return sum_lanes<double>(hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3])));
}

template <int R>
HWY_INLINE void take_from(Panel<double> rows, int64_t n, double* y) {
  double part[4] = {};
  inner_products<R>(rows, y, n, part);
  for (int64_t c = 0; c < n; c += kLanes) {
    Vec<double> v = load(y + c);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
      v = hn::NegMulAdd(hn::Set(Tag<double>(), part[r]), load(rows.row(r) + c), v);
    store(v, y + c);
  }
}

// Four directions at a time: between them classical, from four to four modified Gram-Schmidt.
void orthogonal(const DenseMatrix& basis, int64_t count, double* y) {
  const int64_t n = dense_padded(basis.columns);
  int64_t r = 0;
  for (; r + 4 <= count; r += 4) take_from<4>(panel(basis).rows_from(r), n, y);
  for (; r < count; ++r) take_from<1>(panel(basis).rows_from(r), n, y);
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace contraflow::kernels {

HWY_EXPORT(largest_f32);
HWY_EXPORT(largest_f64);
HWY_EXPORT(tall_f32);
HWY_EXPORT(tall_f64);
HWY_EXPORT(gram);
HWY_EXPORT(left);
HWY_EXPORT(right);
HWY_EXPORT(inner);
HWY_EXPORT(orthogonal);

namespace {
constexpr int64_t kLine = 8;  // numbers in a cache line, which is the longest vector too
}

int64_t dense_padded(int64_t columns) { return (columns + kLine - 1) / kLine * kLine; }

int64_t dense_stride(int64_t columns) { return (dense_padded(columns) / kLine | 1) * kLine; }

template <>
double largest_entry(const float* w, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(largest_f32)(w, count);
}
template <>
double largest_entry(const double* w, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(largest_f64)(w, count);
}

template <>
void load_tall(const float* w, int64_t rows, int64_t cols, double factor, const DenseMatrix& out) {
  HWY_DYNAMIC_DISPATCH(tall_f32)(w, rows, cols, factor, out);
}
template <>
void load_tall(const double* w, int64_t rows, int64_t cols, double factor, const DenseMatrix& out) {
  HWY_DYNAMIC_DISPATCH(tall_f64)(w, rows, cols, factor, out);
}

void form_gram(const DenseMatrix& u, const DenseMatrix& g) { HWY_DYNAMIC_DISPATCH(gram)(u, g); }

void left_multiply(const double* x, const DenseMatrix& a, double* y) {
  HWY_DYNAMIC_DISPATCH(left)(x, a, y);
}

void right_multiply(const DenseMatrix& a, const double* x, double* y) {
  HWY_DYNAMIC_DISPATCH(right)(a, x, y);
}

double inner_product(const double* x, const double* y, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(inner)(x, y, n);
}

void orthogonalise(const DenseMatrix& basis, int64_t count, double* y) {
  HWY_DYNAMIC_DISPATCH(orthogonal)(basis, count, y);
}

}  // namespace contraflow::kernels
#endif
