#pragma once

#include <cstdint>

namespace contraflow::kernels {

/// A matrix in memory: element (r, c) at data[r * row + c * column]; one of the two is 1.
template <class T>
struct MatrixView {
  const T* data = nullptr;
  int64_t row = 0;
  int64_t column = 1;
};

/// out (+)= a b (+ bias in every row), on the host.
///
/// Shapes   a: [rows, depth], b: [depth, columns], out: [rows, columns] with rows `out_stride` apart,
///          bias: [columns].
/// Types    float, double. NaN and infinity propagate.
/// Error    sums over the depth in order, with fused multiply-adds: at most depth * unit roundoff of
///          the sum of absolute values.
/// Bits     of a row depend on its numbers, b and bias alone: neither on the other rows nor on
///          threads.
/// Cost     near the processor's rate from 32 columns on; both factors are copied, block by block,
///          in the order in which they are read.
/// Threads  shared with the caller's.
template <class T>
struct MatrixProduct {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t depth = 0;
  MatrixView<T> a;
  MatrixView<T> b;
  T* out = nullptr;
  int64_t out_stride = 0;
  const T* bias = nullptr;  ///< null: none. Not together with `add`.
  bool add = false;         ///< to what `out` holds
};

void multiply(const MatrixProduct<float>& product);
void multiply(const MatrixProduct<double>& product);

}  // namespace contraflow::kernels
