// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "contraflow/kernels/matrix_product.cpp"
#include "contraflow/kernels/tile/targets.h"
// clang-format off: the targets come first
#include <hwy/foreach_target.h>
// clang-format on

#include <algorithm>

#include "contraflow/core/parallel.h"
#include "contraflow/kernels/matrix_product.h"
#include "contraflow/kernels/tile/gemm-inl.h"
#include "contraflow/kernels/tile/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

// Both factors are cut along the depth. A piece of b is packed as panels of three vectors of columns,
// one of which stays in the first-level cache while rows of a pass by; a tile of a is packed as
// blocks of kRows rows and stays in the second-level cache. Results stay in registers for a piece.
template <class T>
class Multiplier {
 public:
  explicit Multiplier(const MatrixProduct<T>& p) : p_(p) {}

  void run() {
    const int64_t most = std::max(kDepth, kChunk / padded_columns() / kDepth * kDepth);
    const int64_t bytes = std::min(most, p_.depth) * padded_columns() * kSize;
    right_ = reinterpret_cast<T*>(thread_workspace(Workspace::kRightFactor, bytes));
    for (int64_t k = 0; k == 0 || k < p_.depth; k += most) {
      begin_ = k;
      end_ = std::min(k + most, p_.depth);
      pack_right();
      parallel_items(tiles(), [&](int64_t tile) { run_tile(tile); });
    }
  }

 private:
  static constexpr int64_t kSize = sizeof(T);
  static constexpr int64_t kWidth = 3 * lanes<T>();            // columns of a panel
  static constexpr int64_t kDepth = 24576 / (kWidth * kSize);  // of a piece
  static constexpr int64_t kChunk = int64_t{1} << 20;          // numbers of b packed at a time
  static constexpr int64_t kTileRows = 64;
  static constexpr int64_t kTileWork = int64_t{1} << 20;  // multiplications: 10 us

  int64_t panels() const { return (p_.columns + kWidth - 1) / kWidth; }
  int64_t padded_columns() const { return panels() * kWidth; }
  // Rows that a thread takes at once.
  int64_t tile_rows() const {
    const int64_t row_work = std::max<int64_t>(1, p_.columns * (end_ - begin_));
    return (kTileWork / row_work / kTileRows + 1) * kTileRows;
  }
  int64_t tiles() const { return (p_.rows + tile_rows() - 1) / tile_rows(); }

  // Piece of b from depth k on, panel by panel.
  T* packed_piece(int64_t k) const { return right_ + (k - begin_) * padded_columns(); }
  int64_t piece_depth(int64_t k) const { return std::min(kDepth, end_ - k); }

  void pack_right() const {
    const int64_t pieces = (end_ - begin_ + kDepth - 1) / kDepth;
    constexpr int64_t kGrain = 16;  // panels: 20 us
    parallel_for(0, pieces * panels(), kGrain, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        pack_panel(begin_ + i / panels() * kDepth, i % panels());
    });
  }

  void pack_panel(int64_t k, int64_t panel) const {
    const int64_t depth = piece_depth(k), c = panel * kWidth;
    const int64_t width = std::min(kWidth, p_.columns - c);
    T* to = packed_piece(k) + panel * depth * kWidth;
    pack_block(p_.b.data + k * p_.b.row + c * p_.b.column, p_.b.column, p_.b.row, width, depth, to,
               kWidth);
  }

  // to[k * stride + r] = from[r * row + k * column], zeros for r = count .. stride - 1.
  static void pack_block(const T* from, int64_t row, int64_t column, int64_t count, int64_t depth,
                         T* to, int64_t stride) {
    if (row != 1) {
      transpose(Panel<T>{const_cast<T*>(from), row}, count, depth, to, stride);
      return;
    }
    if (count == kRows && stride == kRows) return copy_runs<kRows>(from, column, depth, to);
    if (count == kWidth && stride == kWidth) return copy_runs<kWidth>(from, column, depth, to);
    for (int64_t k = 0; k < depth; ++k) {
      std::copy_n(from + k * column, count, to + k * stride);
      std::fill(to + k * stride + count, to + (k + 1) * stride, T(0));
    }
  }

  // to[k * kLength + r] = from[k * column + r]
  template <int64_t kLength>
  static HWY_INLINE void copy_runs(const T* from, int64_t column, int64_t depth, T* to) {
    const hn::CappedTag<T, kLength> d;
    constexpr int64_t n = hn::MaxLanes(d);
    static_assert(kLength % n == 0);
    for (int64_t k = 0; k < depth; ++k) {
#pragma GCC unroll 8
      for (int64_t r = 0; r < kLength; r += n)
        hn::StoreU(hn::LoadU(d, from + k * column + r), d, to + k * kLength + r);
    }
  }

  void run_tile(int64_t tile) const {
    T* left =
        reinterpret_cast<T*>(thread_workspace(Workspace::kLeftFactor, kTileRows * kDepth * kSize));
    const int64_t first = tile * tile_rows(), last = std::min(first + tile_rows(), p_.rows);
    for (int64_t r = first; r < last; r += kTileRows) {
      const int64_t rows = std::min(kTileRows, last - r);
      for (int64_t k = begin_; k == begin_ || k < end_; k += kDepth) run_piece(left, r, rows, k);
    }
  }

  void run_piece(T* left, int64_t r, int64_t rows, int64_t k) const {
    const int64_t depth = piece_depth(k);
    for (int64_t i = 0; i < rows; i += kRows) {
      pack_block(p_.a.data + (r + i) * p_.a.row + k * p_.a.column, p_.a.row, p_.a.column,
                 std::min(kRows, rows - i), depth, left + i * depth, kRows);
    }
    const T* right = packed_piece(k);
    for (int64_t c = 0; c < p_.columns; c += kWidth, right += depth * kWidth) {
      const int64_t width = std::min(kWidth, p_.columns - c);
      for (int64_t i = 0; i < rows; i += kRows)
        run_block(left + i * depth, right, depth, r + i, std::min(kRows, rows - i), c, width, k);
    }
  }

  // A block of results; where it is not whole, by way of a whole one.
  void run_block(const T* left, const T* right, int64_t depth, int64_t r, int64_t rows, int64_t c,
                 int64_t width, int64_t k) const {
    T* out = p_.out + r * p_.out_stride + c;
    const bool adds = p_.add || k > 0;
    const T* bias = k == 0 && p_.bias != nullptr ? p_.bias + c : nullptr;
    const int64_t vectors = (width + lanes<T>() - 1) / lanes<T>();
    if (rows == kRows && width == vectors * lanes<T>())
      return start(vectors, left, right, depth, out, p_.out_stride, bias, adds);
    HWY_ALIGN T whole[kRows * kWidth] = {};
    HWY_ALIGN T shift[kWidth] = {};
    if (bias != nullptr) bias = std::copy_n(bias, width, shift) - width;
    for (int64_t i = 0; adds && i < rows; ++i)
      std::copy_n(out + i * p_.out_stride, width, whole + i * kWidth);
    start(vectors, left, right, depth, whole, kWidth, bias, adds);
    for (int64_t i = 0; i < rows; ++i)
      std::copy_n(whole + i * kWidth, width, out + i * p_.out_stride);
  }

  static HWY_INLINE void start(int64_t vectors, const T* left, const T* right, int64_t depth,
                               T* out, int64_t stride, const T* bias, bool adds) {
    if (vectors == 1) return start<1>(left, right, depth, out, stride, bias, adds);
    if (vectors == 2) return start<2>(left, right, depth, out, stride, bias, adds);
    start<3>(left, right, depth, out, stride, bias, adds);
  }

  template <int C>
  static HWY_INLINE void start(const T* left, const T* right, int64_t depth, T* out, int64_t stride,
                               const T* bias, bool adds) {
    // Without a stride, one row of numbers starts all rows.
    if (bias != nullptr) return micro_packed<C, true>(left, right, depth, bias, 0, out, stride);
    if (adds) return micro_packed<C, true>(left, right, depth, out, stride, out, stride);
    micro_packed<C, false>(left, right, depth, out, stride, out, stride);
  }

  // out = from + left right for kRows rows and C vectors.
  template <int C, bool kAdd>
  static HWY_NOINLINE void micro_packed(const T* HWY_RESTRICT left, const T* HWY_RESTRICT right,
                                        int64_t depth, const T* from, int64_t from_stride, T* out,
                                        int64_t out_stride) {
    constexpr int64_t n = lanes<T>();
    const Tag<T> d;
    Vec<T> acc[kRows][C];
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
      for (int c = 0; c < C; ++c)
        acc[r][c] = kAdd ? hn::LoadU(d, from + r * from_stride + c * n) : hn::Zero(d);
    }
    accumulate<kRows, C, T>(left, 1, kRows, depth, right, kWidth, acc);
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
      for (int c = 0; c < C; ++c) hn::StoreU(acc[r][c], d, out + r * out_stride + c * n);
    }
  }

  const MatrixProduct<T>& p_;
  T* right_ = nullptr;
  int64_t begin_ = 0, end_ = 0;  // of the depth that is packed
};

void multiply_f32(const MatrixProduct<float>& p) { Multiplier<float>(p).run(); }
void multiply_f64(const MatrixProduct<double>& p) { Multiplier<double>(p).run(); }

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace contraflow::kernels {

HWY_EXPORT(multiply_f32);
HWY_EXPORT(multiply_f64);

void multiply(const MatrixProduct<float>& product) {
  if (product.rows > 0 && product.columns > 0) HWY_DYNAMIC_DISPATCH(multiply_f32)(product);
}
void multiply(const MatrixProduct<double>& product) {
  if (product.rows > 0 && product.columns > 0) HWY_DYNAMIC_DISPATCH(multiply_f64)(product);
}

}  // namespace contraflow::kernels
#endif
