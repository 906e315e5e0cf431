#include "contraflow/networks/scaled_gram.h"

#include <algorithm>
#include <cmath>

#include "contraflow/kernels/cholesky.h"
#include "contraflow/kernels/isa.h"
#include "contraflow/kernels/tile/arena.h"
#include "contraflow/kernels/tile/workspace.h"
#include "contraflow/networks/epsilon.h"

namespace contraflow {
namespace {

using kernels::Arena;
using kernels::dense_padded;
using kernels::DenseMatrix;

// A power of two that, like its inverse, is well inside the range.
double power_near(double largest) {
  constexpr int kMost = 1000;
  return std::ldexp(1.0, std::clamp(std::ilogb(largest), -kMost, kMost));
}

// Takes the memory of every part; returns what was taken.
int64_t place(ScaledGram& gram, Arena arena) {
  const auto take = [&](DenseMatrix& a) {
    a.data = arena.take<double>(dense_padded(a.rows) * a.stride);
  };
  take(gram.tall);
  take(gram.matrix);
  take(gram.factor);
  take(gram.basis);
  gram.x = arena.take<double>(dense_padded(gram.tall.columns));
  gram.y = arena.take<double>(dense_padded(gram.tall.rows));
  return arena.used();
}

// Rounding of the entries of the Gram matrix and of a Cholesky factorisation of c I - G, as a
// shift: gamma_k * trace-like terms (Rump 2006), in any order of the sums. The factor of four (of
// eight, in units of the rounding) covers the roundings besides: the shift itself and the pivots
// that are inverted once and multiplied with. It costs nothing beside a guess raised by 1e-9 or
// more.
double rounding_shift(const ScaledGram& gram, double c) {
  const auto m = static_cast<double>(gram.tall.rows);
  const auto n = static_cast<double>(gram.tall.columns);
  return 4 * kEpsilon * (m + n + 2) * (n * c + gram.trace);
}

// An entrywise error of gamma |W|^T|W| moves an eigenvalue by at most gamma times the trace.
double quotient_slack(const ScaledGram& gram) {
  return 4 * kEpsilon * static_cast<double>(gram.tall.rows + gram.tall.columns) * gram.trace;
}

}  // namespace

bool ScaledGram::set_unit(const double* start) const {
  const int64_t n = matrix.columns;
  std::copy_n(start, n, x);
  std::fill(x + n, x + dense_padded(n), 0.0);
  const double square = kernels::inner_product(x, x, dense_padded(n));
  if (!(square > 0) || !std::isfinite(square)) return false;
  const double inverse = 1 / std::sqrt(square);
  for (int64_t i = 0; i < n; ++i) x[i] *= inverse;
  return true;
}

bool ScaledGram::proves(double c) const {
  return kernels::cholesky_succeeds(matrix, c - rounding_shift(*this, c), factor);
}

void ScaledGram::write_pair(double* left, double* right) const {
  double* longer = is_right ? left : right;
  kernels::right_multiply(tall, x, y);
  std::fill(y + tall.rows, y + dense_padded(tall.rows), 0.0);
  const double square = kernels::inner_product(y, y, dense_padded(tall.rows));
  const double inverse = square > 0 ? 1 / std::sqrt(square) : 0.0;
  for (int64_t i = 0; i < tall.rows; ++i) longer[i] = y[i] * inverse;
  std::copy_n(x, tall.columns, is_right ? right : left);
}

NormInterval ScaledGram::interval(double quotient, double bound) const {
  return {scale * std::sqrt(std::max(0.0, quotient - quotient_slack(*this))),
          scale * std::sqrt(bound) * (1 + 4 * kEpsilon)};
}

template <class T>
ScaledGram scaled_gram(const T* w, int64_t rows, int64_t cols) {
  kernels::tiles_enabled();  // reads CONTRAFLOW_ISA, before a kernel runs
  ScaledGram gram;
  const double largest = kernels::largest_entry(w, rows * cols);
  gram.scale = largest > 0 ? power_near(largest) : largest;
  if (!gram.usable()) return gram;
  const int64_t n = std::min(rows, cols), stride = kernels::dense_stride(n);
  gram.is_right = cols <= rows;
  gram.tall = {nullptr, std::max(rows, cols), n, stride};
  gram.matrix = gram.factor = {nullptr, n, n, stride};
  gram.basis = {nullptr, kBasisVectors, n, stride};
  const int64_t bytes = place(gram, Arena());
  place(gram, Arena(kernels::thread_workspace(kernels::Workspace::kNorms, bytes)));
  kernels::load_tall(w, rows, cols, 1 / gram.scale, gram.tall);
  kernels::form_gram(gram.tall, gram.matrix);
  for (int64_t i = 0; i < n; ++i) gram.trace += gram.matrix.data[i * stride + i];
  return gram;
}

template ScaledGram scaled_gram(const float*, int64_t, int64_t);
template ScaledGram scaled_gram(const double*, int64_t, int64_t);

}  // namespace contraflow
