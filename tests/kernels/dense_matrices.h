#pragma once

#include <ATen/ATen.h>

#include <limits>
#include <vector>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/dense.h"

namespace contraflow::testing {

/// Sizes with every remainder of every vector and tile, and some of several passes.
inline std::vector<int64_t> dense_sizes() {
  std::vector<int64_t> out;
  for (int64_t n = 1; n <= 70; ++n) out.push_back(n);
  out.insert(out.end(), {128, 129, 200});
  return out;
}

/// A matrix of the kernels with its memory: NaN where a kernel may neither read nor rely on.
struct HeldMatrix {
  HeldMatrix(int64_t rows, int64_t columns) {
    const int64_t stride = kernels::dense_stride(columns);
    memory = at::full({kernels::dense_padded(rows), stride},
                      std::numeric_limits<double>::quiet_NaN(), at::kDouble);
    matrix = {memory.data_ptr<double>(), rows, columns, stride};
  }
  explicit HeldMatrix(const at::Tensor& values) : HeldMatrix(values.size(0), values.size(1)) {
    padded().zero_();
    this->values().copy_(values);
  }
  at::Tensor values() const {
    return memory.narrow(0, 0, matrix.rows).narrow(1, 0, matrix.columns);
  }
  at::Tensor padded() const { return memory.narrow(1, 0, kernels::dense_padded(matrix.columns)); }

  at::Tensor memory;
  kernels::DenseMatrix matrix;
};

/// The vector, on a vector of the machine and with zeros to whole ones.
inline at::Tensor padded_vector(const at::Tensor& x) {
  at::Tensor out = at::zeros({kernels::dense_padded(x.size(0))}, at::kDouble);
  out.narrow(0, 0, x.size(0)).copy_(x);
  return out;
}

/// A symmetric matrix with these eigenvalues.
inline at::Tensor with_spectrum(const at::Tensor& values, uint64_t seed = 3) {
  const int64_t n = values.size(0);
  const at::Tensor q = std::get<0>(at::linalg_qr(Rng(seed).normal({n, n}, at::kDouble)));
  const at::Tensor a = q.mm(at::diag(values)).mm(q.t());
  return ((a + a.t()) / 2).contiguous();
}

}  // namespace contraflow::testing
