#include "contraflow/networks/lanczos.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "contraflow/networks/epsilon.h"

namespace contraflow {
namespace {

void scale(double* x, double factor, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

// The symmetric tridiagonal matrix of diagonal a and off-diagonal b.
struct Tridiagonal {
  const std::vector<double>& a;
  const std::vector<double>& b;

  double off(size_t i) const { return i < b.size() && i + 1 < a.size() ? b[i] : 0.0; }

  // Whether some eigenvalue is above x: a pivot of x - T that is not positive (Sturm).
  bool exceeds(double x) const {
    double pivot = x - a[0];
    for (size_t i = 1; i < a.size() && pivot > 0; ++i)
      pivot = x - a[i] - off(i - 1) * off(i - 1) / pivot;
    return !(pivot > 0);
  }

  double largest() const {
    double low = *std::max_element(a.begin(), a.end()), high = low;
    for (size_t i = 0; i < a.size(); ++i)
      high = std::max(high, a[i] + std::abs(off(i)) + (i > 0 ? std::abs(off(i - 1)) : 0.0));
    high *= 1 + 4 * kEpsilon;
    for (int k = 0; k < 60 && high - low > 2 * kEpsilon * high; ++k) {
      const double middle = (low + high) / 2;
      (exceeds(middle) ? low : high) = middle;
    }
    return high;
  }

  // The eigenvector, by two steps of inverse iteration with a shift just above the eigenvalue,
  // where x - T is positive definite and elimination needs no pivoting.
  std::vector<double> vector(double value) const {
    const double shift = value * (1 + 16 * kEpsilon) + std::numeric_limits<double>::min();
    std::vector<double> s(a.size(), 1.0), pivot(a.size());
    for (int round = 0; round < 3; ++round) {
      for (size_t i = 0; i < a.size(); ++i) {
        const double before = i > 0 ? off(i - 1) / pivot[i - 1] : 0.0;
        pivot[i] = shift - a[i] - (i > 0 ? off(i - 1) * before : 0.0);
        if (!(pivot[i] > kEpsilon * kEpsilon * shift)) pivot[i] = kEpsilon * kEpsilon * shift;
        if (i > 0) s[i] += before * s[i - 1];
      }
      for (size_t i = a.size(); i-- > 0;)
        s[i] = (s[i] + (i + 1 < a.size() ? off(i) * s[i + 1] : 0.0)) / pivot[i];
      const auto n = static_cast<int64_t>(s.size());
      double most = 0;
      for (const double v : s) most = std::max(most, std::abs(v));
      scale(s.data(), 1 / most, n);
    }
    return s;
  }
};

}  // namespace

Lanczos::Lanczos(const kernels::DenseMatrix& g, const kernels::DenseMatrix& basis,
                 const double* start)
    : g_(g), basis_(basis), padded_(kernels::dense_padded(g.columns)) {
  double* x = vector(0);
  std::copy_n(start, g.columns, x);
  std::fill(x + g.columns, x + padded_, 0.0);
  scale(x, 1 / std::sqrt(kernels::inner_product(x, x, padded_)), padded_);
}

void Lanczos::extend_to(int64_t wanted) {
  const int64_t most = std::min({wanted, g_.columns, basis_.rows - kSpare});
  while (!exhausted_ && steps() < most) {
    const int64_t k = steps();
    double* y = vector(k + 1);
    kernels::left_multiply(vector(k), g_, y);
    alpha_.push_back(kernels::inner_product(vector(k), y, padded_));
    const double before = std::sqrt(kernels::inner_product(y, y, padded_));
    for (int twice = 0; twice < 2; ++twice) kernels::orthogonalise(basis_, k + 1, y);  // is enough
    const double length = std::sqrt(kernels::inner_product(y, y, padded_));
    exhausted_ = length <= 1e-14 * before;
    if (exhausted_) return;
    beta_.push_back(length);
    scale(y, 1 / length, padded_);
  }
}

double Lanczos::top(double* x) const {
  const Tridiagonal t{alpha_, beta_};
  const std::vector<double> s = t.vector(t.largest());
  kernels::left_multiply(s.data(), {basis_.data, steps(), g_.columns, basis_.stride}, x);
  scale(x, 1 / std::sqrt(kernels::inner_product(x, x, padded_)), padded_);
  double* image = vector(basis_.rows - 1);
  kernels::left_multiply(x, g_, image);
  return kernels::inner_product(x, image, padded_);
}

}  // namespace contraflow
