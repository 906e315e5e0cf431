#pragma once

#include <cstdint>

namespace contraflow::kernels {

/// Small dense float64 matrices for the proofs of spectral norms, in vectors of the machine.
///
/// A row is `stride` apart from the next (dense_stride()), starts on a vector, and is zero from
/// `columns` to dense_padded(columns). A square matrix has dense_padded(columns) rows in memory;
/// those beyond `columns` are zero or scratch. So no kernel has a remainder of a vector.
struct DenseMatrix {
  double* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t stride = 0;
};

/// Columns, rounded up to whole vectors of every instruction set.
int64_t dense_padded(int64_t columns);
/// An odd number of cache lines: columns of a matrix then spread over all sets of the cache.
int64_t dense_stride(int64_t columns);

/// The largest absolute value of `count` entries, NaN if some entry is not finite.
template <class T>
double largest_entry(const T* w, int64_t count);

/// out = the weight w [rows, cols] times `factor`, transposed where that makes it taller than wide.
/// Memory of `out` holds dense_padded(out.rows) rows.
template <class T>
void load_tall(const T* w, int64_t rows, int64_t cols, double factor, const DenseMatrix& out);

/// g = u^T u. Exactly symmetric, so only half of it is computed.
void form_gram(const DenseMatrix& u, const DenseMatrix& g);

/// y = x^T a, y [dense_padded(columns)] on a vector, its padding zero.
void left_multiply(const double* x, const DenseMatrix& a, double* y);
/// y = a x, x on a vector with its padding zero.
void right_multiply(const DenseMatrix& a, const double* x, double* y);

/// x^T y; n is padded, the vectors are aligned.
double inner_product(const double* x, const double* y, int64_t n);
/// Takes from y its part along the first `count` rows of an orthonormal basis.
void orthogonalise(const DenseMatrix& basis, int64_t count, double* y);

}  // namespace contraflow::kernels
