// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_GEMM_INL_H_
#undef CONTRAFLOW_TILE_GEMM_INL_H_
#else
#define CONTRAFLOW_TILE_GEMM_INL_H_
#endif

#include <algorithm>

#include "contraflow/kernels/tile/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

// Panels are [rows][columns of vectors]: one vector holds the same feature of `lanes` samples.
// Products keep a block of kRows x up to 3 (or 6) vectors of results in registers: 24 of the 32
// registers of AVX-512 and NEON, 12 of the 16 of AVX2.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int64_t kRows = 8;
#else
constexpr int64_t kRows = 4;
#endif

/// Size of the next block of rows: kRows while they last, then powers of two.
HWY_INLINE int64_t row_block(int64_t left) {
  if (left >= kRows) return kRows;
  return left >= 4 ? 4 : (left >= 2 ? 2 : 1);
}

template <class T>
struct Panel {
  T* data = nullptr;
  int64_t stride = 0;  ///< from one row to the next
  HWY_INLINE T* row(int64_t r) const { return data + r * stride; }
  HWY_INLINE Panel rows_from(int64_t r) const { return {data + r * stride, stride}; }
  HWY_INLINE Panel columns_from(int64_t c) const { return {data + c, stride}; }
};

/// The left factor of a product: element (r, k) at data[r row + k column].
template <class T>
struct Factor {
  const T* data = nullptr;
  int64_t row = 0;
  int64_t column = 0;
};

// acc[r][c] += sum_k w(r, k) in[k][c] for R rows and C vectors: the inner loop of all products.
template <int R, int C, class T>
HWY_INLINE void accumulate(const T* HWY_RESTRICT w, int64_t row, int64_t column, int64_t depth,
                           const T* HWY_RESTRICT in, int64_t in_stride, Vec<T> (&acc)[R][C]) {
  for (int64_t k = 0; k < depth; ++k) {
    Vec<T> x[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) x[c] = load(in + c * lanes<T>());
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec<T> element = hn::Set(Tag<T>(), w[r * row]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) acc[r][c] = hn::MulAdd(element, x[c], acc[r][c]);
    }
    w += column;
    in += in_stride;
  }
}

// out[r][c] (+)= sum_k w(r, k) in[k][c] for one block of R rows and C vectors. Plain numbers, not
// structs: those would travel over the stack, written in halves and copied whole, and such a load
// waits until every store before it has left for the cache.
template <int R, int C, bool kAdd, class T>
HWY_NOINLINE void micro(const T* HWY_RESTRICT w, int64_t row, int64_t column, int64_t depth,
                        const T* HWY_RESTRICT in, int64_t in_stride, T* HWY_RESTRICT out,
                        int64_t out_stride) {
  constexpr int64_t n = lanes<T>();
  Vec<T> acc[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
      acc[r][c] = kAdd ? load(out + r * out_stride + c * n) : hn::Zero(Tag<T>());
  }
  accumulate<R, C, T>(w, row, column, depth, in, in_stride, acc);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) store(acc[r][c], out + r * out_stride + c * n);
  }
}

template <int R, bool kAdd, class T>
HWY_INLINE void product_rows(Factor<T> w, int64_t depth, Panel<T> in, Panel<T> out,
                             int64_t vectors) {
  constexpr int kWide = kRows == 8 && R <= 4 ? 6 : 3;
  const auto take = [&]<int C>() HWY_ATTR {
    micro<R, C, kAdd>(w.data, w.row, w.column, depth, in.data, in.stride, out.data, out.stride);
    in.data += C * lanes<T>();
    out.data += C * lanes<T>();
    vectors -= C;
  };
  // One vector alone waits for its weights: four are taken as two and two.
  while (vectors >= kWide && vectors != kWide + 1) take.template operator()<kWide>();
  if constexpr (kWide > 3) {
    if (vectors >= 3 && vectors != 4) take.template operator()<3>();
  }
  while (vectors >= 2) take.template operator()<2>();
  if (vectors == 1) take.template operator()<1>();
}

template <bool kAdd, class T>
HWY_INLINE void product_block(int64_t block, Factor<T> w, int64_t depth, Panel<T> in, Panel<T> out,
                              int64_t vectors) {
  if constexpr (kRows == 8) {
    if (block == 8) product_rows<8, kAdd>(w, depth, in, out, vectors);
  }
  if (block == 4) product_rows<4, kAdd>(w, depth, in, out, vectors);
  if (block == 2) product_rows<2, kAdd>(w, depth, in, out, vectors);
  if (block == 1) product_rows<1, kAdd>(w, depth, in, out, vectors);
}

/// out (+)= W in over the first `vectors` vectors of each row; W [rows, depth] as pack() left it.
/// after(begin, end) is called for each block of rows while it is in the first-level cache.
template <bool kAdd, class T, class After>
HWY_INLINE void product(const T* packed, int64_t rows, int64_t depth, Panel<T> in, Panel<T> out,
                        int64_t vectors, After&& after) {
  for (int64_t r = 0; r < rows;) {
    const int64_t block = row_block(rows - r);
    product_block<kAdd>(block, Factor<T>{packed + r * depth, 1, block}, depth, in, out.rows_from(r),
                        vectors);
    after(r, r + block);
    r += block;
  }
}
template <bool kAdd, class T>
void product(const T* packed, int64_t rows, int64_t depth, Panel<T> in, Panel<T> out,
             int64_t vectors) {
  product<kAdd>(packed, rows, depth, in, out, vectors, [](int64_t, int64_t) {});
}

#if HWY_TARGET == HWY_SCALAR
template <class T>
HWY_INLINE void add_sums(const Vec<T>* v, T* out) {
  for (int k = 0; k < 4; ++k) out[k] += hn::GetLane(v[k]);
}
#else
// Adds up the 128-bit blocks of a vector.
template <class D>
HWY_INLINE auto fold_blocks(D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) <= 16) {
    (void)d;
    return v;
  } else {
    const hn::Half<D> half;
    return fold_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// out[k] += the sum over the lanes of v[k], k < 4.
HWY_INLINE void add_sums(const Vec<float>* v, float* out) {
  const Tag<float> d;
  const hn::Repartition<double, Tag<float> > w;
  const auto pair = [&](Vec<float> a, Vec<float> b) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  };
  const auto ab = hn::BitCast(w, pair(v[0], v[1]));
  const auto cd = hn::BitCast(w, pair(v[2], v[3]));
  const Vec<float> sums = hn::Add(hn::BitCast(d, hn::InterleaveLower(w, ab, cd)),
                                  hn::BitCast(d, hn::InterleaveUpper(w, ab, cd)));
  const auto total = fold_blocks(d, sums);
  const hn::Full128<float> q;
  hn::StoreU(hn::Add(total, hn::LoadU(q, out)), q, out);
}

HWY_INLINE void add_sums(const Vec<double>* v, double* out) {
  const Tag<double> d;
  const hn::Full128<double> q;
  for (int k = 0; k < 4; k += 2) {
    const auto total = fold_blocks(
        d, hn::Add(hn::InterleaveLower(d, v[k], v[k + 1]), hn::InterleaveUpper(d, v[k], v[k + 1])));
    hn::StoreU(hn::Add(total, hn::LoadU(q, out + k)), q, out + k);
  }
}
#endif

// gradient[i][o] += sum over columns of a[i] . z[o], for I rows of a and O rows of z.
template <int O, int I, class T>
HWY_NOINLINE void micro_outer(Panel<T> z, Panel<T> a, int64_t vectors, T* gradient,
                              int64_t stride) {
  constexpr int64_t n = lanes<T>();
  Vec<T> acc[I][O];
#pragma GCC unroll 8
  for (int i = 0; i < I; ++i) {
#pragma GCC unroll 8
    for (int o = 0; o < O; ++o) acc[i][o] = hn::Zero(Tag<T>());
  }
  for (int64_t c = 0; c < vectors * n; c += n) {
    Vec<T> x[I];
#pragma GCC unroll 8
    for (int i = 0; i < I; ++i) x[i] = load(a.data + i * a.stride + c);
#pragma GCC unroll 8
    for (int o = 0; o < O; ++o) {
      const Vec<T> y = load(z.data + o * z.stride + c);
#pragma GCC unroll 8
      for (int i = 0; i < I; ++i) acc[i][o] = hn::MulAdd(x[i], y, acc[i][o]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < I; ++i) {
    if constexpr (O >= 4) {
#pragma GCC unroll 8
      for (int o = 0; o < O; o += 4) add_sums(&acc[i][o], gradient + i * stride + o);
    } else {
#pragma GCC unroll 8
      for (int o = 0; o < O; ++o) gradient[i * stride + o] += sum_lanes<T>(acc[i][o]);
    }
  }
}

template <int O, class T>
HWY_INLINE void outer_rows(Panel<T> z, Panel<T> a, int64_t inputs, int64_t vectors, T* gradient,
                           int64_t stride) {
  int64_t i = 0;
  for (; i + 3 <= inputs; i += 3)
    micro_outer<O, 3>(z, a.rows_from(i), vectors, gradient + i * stride, stride);
  if (inputs - i == 2) micro_outer<O, 2>(z, a.rows_from(i), vectors, gradient + i * stride, stride);
  if (inputs - i == 1) micro_outer<O, 1>(z, a.rows_from(i), vectors, gradient + i * stride, stride);
}

// The same with the sums over lanes of whole products: for few outputs or inputs.
template <class T>
void add_outer_narrow(Panel<T> z, int64_t outputs, Panel<T> a, int64_t inputs, int64_t vectors,
                      T* gradient, int64_t stride) {
  for (int64_t o = 0; o < outputs;) {
    const int64_t block = row_block(outputs - o);
    const Panel<T> rows = z.rows_from(o);
    if constexpr (kRows == 8) {
      if (block == 8) outer_rows<8>(rows, a, inputs, vectors, gradient + o, stride);
    }
    if (block == 4) outer_rows<4>(rows, a, inputs, vectors, gradient + o, stride);
    if (block == 2) outer_rows<2>(rows, a, inputs, vectors, gradient + o, stride);
    if (block == 1) outer_rows<1>(rows, a, inputs, vectors, gradient + o, stride);
    o += block;
  }
}

#if HWY_TARGET != HWY_SCALAR
// The vector of 128-bit blocks at in, in + step, ...
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const hn::TFromD<D>* in, int64_t step) {
  constexpr int64_t kBlocks = hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) / 16;
  if constexpr (kBlocks <= 1) {
    return hn::LoadU(d, in);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, load_blocks(half, in + kBlocks / 2 * step, step),
                       load_blocks(half, in, step));
  }
}

// Transposes within each 128-bit block of four (two) vectors.
template <class D>
HWY_INLINE void transpose_blocks(D d, hn::Vec<D>* v) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    const auto low = hn::InterleaveLower(d, v[0], v[1]);
    v[1] = hn::InterleaveUpper(d, v[0], v[1]);
    v[0] = low;
  } else {
    const hn::Repartition<double, D> w;
    const auto ab_low = hn::BitCast(w, hn::InterleaveLower(d, v[0], v[1]));
    const auto ab_high = hn::BitCast(w, hn::InterleaveUpper(d, v[0], v[1]));
    const auto cd_low = hn::BitCast(w, hn::InterleaveLower(d, v[2], v[3]));
    const auto cd_high = hn::BitCast(w, hn::InterleaveUpper(d, v[2], v[3]));
    v[0] = hn::BitCast(d, hn::InterleaveLower(w, ab_low, cd_low));
    v[1] = hn::BitCast(d, hn::InterleaveUpper(w, ab_low, cd_low));
    v[2] = hn::BitCast(d, hn::InterleaveLower(w, ab_high, cd_high));
    v[3] = hn::BitCast(d, hn::InterleaveUpper(w, ab_high, cd_high));
  }
}

// As many rows and columns as d has lanes. Blocks are brought to their places as they are loaded,
// so that stores are whole vectors.
template <class D, class T>
HWY_INLINE void transpose_square(D d, Panel<T> in, T* out, int64_t stride) {
  constexpr int64_t n = hn::MaxLanes(D()), kBlock = 16 / sizeof(T);
#pragma GCC unroll 8
  for (int64_t c = 0; c < n; c += kBlock) {
    hn::Vec<D> v[kBlock];
#pragma GCC unroll 8
    for (int64_t r = 0; r < kBlock; ++r) v[r] = load_blocks(d, in.row(r) + c, kBlock * in.stride);
    transpose_blocks(d, v);
#pragma GCC unroll 8
    for (int64_t k = 0; k < kBlock; ++k) hn::StoreU(v[k], d, out + (c + k) * stride);
  }
}

// Rows `r` and after, as many as squares of the lanes of d, then of half as many, ... take; returns
// the first row that is left.
template <class D, class T>
HWY_INLINE int64_t transpose_squares(D d, Panel<T> in, int64_t r, int64_t rows, int64_t columns,
                                     T* out, int64_t stride) {
  constexpr int64_t n = hn::MaxLanes(D());
  const int64_t whole = columns / n * n;
  for (; r + n <= rows; r += n) {
    const Panel<T> group = in.rows_from(r);
    for (int64_t c = 0; c < whole; c += n)
      transpose_square(d, group.columns_from(c), out + c * stride + r, stride);
    for (int64_t c = whole; c < columns; ++c) {
      for (int64_t k = 0; k < n; ++k) out[c * stride + r + k] = group.row(k)[c];
    }
  }
  if constexpr (n * sizeof(T) <= 16) {
    return r;
  } else {
    return transpose_squares(hn::Half<D>(), in, r, rows, columns, out, stride);
  }
}
#endif

/// in [rows, columns] -> out [columns, padded rows], row length `stride` >= rows; what is beyond
/// the rows is zero.
template <class T>
void transpose(Panel<T> in, int64_t rows, int64_t columns, T* out, int64_t stride) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  r = transpose_squares(Tag<T>(), in, r, rows, columns, out, stride);
#endif
  if (r == stride) return;
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t k = r; k < rows; ++k) out[c * stride + k] = in.row(k)[c];
    std::fill(out + c * stride + rows, out + (c + 1) * stride, T(0));
  }
}

// out[k] *= factor[k] for k < count.
template <class T>
HWY_INLINE void multiply(const T* factor, int64_t count, T* out) {
  const hn::CappedTag<T, kRows> d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  int64_t k = 0;
  for (; k + n <= count; k += n)
    hn::StoreU(hn::LoadU(d, out + k) * hn::LoadU(d, factor + k), d, out + k);
  for (; k < count; ++k) out[k] *= factor[k];
}

/// W diag(factor), W [rows, depth] row-major, in the order products read it: blocks of rows, in
/// each the columns one after another.
template <class T>
void pack(const T* w, int64_t rows, int64_t depth, const T* factor, T* out) {
  for (int64_t r = 0; r < rows;) {
    const int64_t block = row_block(rows - r);
    transpose(Panel<T>{const_cast<T*>(w) + r * depth, depth}, block, depth, out, block);
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t j = 0; j < block; ++j) out[k * block + j] *= factor[k];
    }
    out += block * depth;
    r += block;
  }
}

/// The same of the transpose, diag(factor) W^T with W [depth, rows].
template <class T>
void pack_transposed(const T* w, int64_t rows, int64_t depth, const T* factor, T* out) {
  for (int64_t r = 0; r < rows;) {
    const int64_t block = row_block(rows - r);
    for (int64_t k = 0; k < depth; ++k, out += block) {
      std::copy_n(w + k * rows + r, block, out);
      multiply(factor + r, block, out);
    }
    r += block;
  }
}

/// Length of a row of a weight's gradient: whole vectors where products write it.
template <class T>
int64_t gradient_stride(int64_t outputs) {
  const int64_t n = lanes<T>();
  return outputs < n ? outputs : (outputs + n - 1) / n * n;
}

/// Outputs that one pass of outer() takes: the vectors of results that fit the registers.
template <class T>
HWY_INLINE constexpr int64_t outer_width() {
  return 3 * lanes<T>();
}

// Below so many inputs, transposing z costs more than the product saves.
constexpr int64_t kFewInputs = 4;

/// gradient [inputs, gradient_stride(outputs)] (+)= a z^T over `vectors` vectors of columns.
/// `scratch` holds vectors * lanes * outer_width() values.
template <bool kAdd, class T>
void outer(Panel<T> z, int64_t outputs, Panel<T> a, int64_t inputs, int64_t vectors, T* gradient,
           T* scratch) {
  const int64_t stride = gradient_stride<T>(outputs);
  if (outputs < lanes<T>() || inputs < kFewInputs) {
    if (!kAdd) std::fill_n(gradient, inputs * stride, T(0));
    return add_outer_narrow(z, outputs, a, inputs, vectors, gradient, stride);
  }
  // Wide: z is transposed, three vectors of outputs at a time so that they stay in the first-level
  // cache; then the sum over samples is a plain product.
  const int64_t columns = vectors * lanes<T>();
  for (int64_t o = 0; o < stride; o += outer_width<T>()) {
    const int64_t width = std::min(outer_width<T>(), stride - o);
    transpose(z.rows_from(o), std::min(width, outputs - o), columns, scratch, width);
    for (int64_t i = 0; i < inputs;) {
      const int64_t block = row_block(inputs - i);
      product_block<kAdd>(block, Factor<T>{a.row(i), a.stride, 1}, columns,
                          Panel<T>{scratch, width}, Panel<T>{gradient + i * stride + o, stride},
                          width / lanes<T>());
      i += block;
    }
  }
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
