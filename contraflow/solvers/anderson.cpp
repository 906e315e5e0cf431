#include "contraflow/solvers/anderson.h"

#include <array>
#include <cmath>

namespace contraflow {
namespace {

constexpr double kRidge = 1e-12;
constexpr int64_t kMost = kMostAndersonMemory;
using Matrix = std::array<std::array<double, kMost>, kMost>;
using Vector = std::array<double, kMost>;

double dot(const double* a, const double* b, int64_t d) {
  double sum = 0;
  for (int64_t i = 0; i < d; ++i) sum += a[i] * b[i];
  return sum;
}

// Solves the symmetric positive definite system in place by Cholesky; false when it is not.
bool solve_spd(Matrix& a, Vector& x, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t k = 0; k < j; ++k) a[j][j] -= a[j][k] * a[j][k];
    if (!(a[j][j] > 0)) return false;
    a[j][j] = std::sqrt(a[j][j]);
    for (int64_t i = j + 1; i < n; ++i) {
      for (int64_t k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[j][k];
      a[i][j] /= a[j][j];
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < i; ++k) x[i] -= a[i][k] * x[k];
    x[i] /= a[i][i];
  }
  for (int64_t i = n - 1; i >= 0; --i) {
    for (int64_t k = i + 1; k < n; ++k) x[i] -= a[k][i] * x[k];
    x[i] /= a[i][i];
  }
  return true;
}

}  // namespace

void anderson_step(const double* dw, const double* dr, int64_t count, int64_t d, const double* w,
                   const double* f, double* out) {
  Matrix gram{};
  Vector gamma{};
  double trace = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j <= i; ++j) gram[i][j] = dot(dr + i * d, dr + j * d, d);
    trace += gram[i][i];
    gamma[i] = dot(dr + i * d, f, d) - dot(dr + i * d, w, d);
  }
  for (int64_t i = 0; i < count; ++i) gram[i][i] += kRidge * trace;
  for (int64_t k = 0; k < d; ++k) out[k] = f[k];
  if (count == 0 || !solve_spd(gram, gamma, count)) return;
  for (int64_t j = 0; j < count; ++j) {
    for (int64_t k = 0; k < d; ++k) out[k] -= gamma[j] * (dw[j * d + k] + dr[j * d + k]);
  }
}

}  // namespace contraflow
