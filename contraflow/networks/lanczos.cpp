#include "contraflow/networks/lanczos.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace contraflow {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

double inner(const double* x, const double* y, int64_t n) {
  constexpr int64_t kParts = 8;  // independent sums, which the compiler keeps in vectors
  double part[kParts] = {};
  int64_t i = 0;
  for (; i + kParts <= n; i += kParts) {
    for (int64_t k = 0; k < kParts; ++k) part[k] += x[i + k] * y[i + k];
  }
  double sum = 0;
  for (; i < n; ++i) sum += x[i] * y[i];
  for (const double p : part) sum += p;
  return sum;
}

void add_multiple(double* x, double factor, const double* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] += factor * y[i];
}

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
    high *= 1 + 4 * kEps;
    for (int k = 0; k < 60 && high - low > 2 * kEps * high; ++k) {
      const double middle = (low + high) / 2;
      (exceeds(middle) ? low : high) = middle;
    }
    return high;
  }

  // The eigenvector, by two steps of inverse iteration with a shift just above the eigenvalue,
  // where x - T is positive definite and elimination needs no pivoting.
  std::vector<double> vector(double value) const {
    const double shift = value * (1 + 16 * kEps) + std::numeric_limits<double>::min();
    std::vector<double> s(a.size(), 1.0), pivot(a.size());
    for (int round = 0; round < 3; ++round) {
      for (size_t i = 0; i < a.size(); ++i) {
        const double before = i > 0 ? off(i - 1) / pivot[i - 1] : 0.0;
        pivot[i] = shift - a[i] - (i > 0 ? off(i - 1) * before : 0.0);
        if (!(pivot[i] > kEps * kEps * shift)) pivot[i] = kEps * kEps * shift;
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

Lanczos::Lanczos(const at::Tensor& g, const at::Tensor& start) : g_(g), n_(g.size(0)) {
  const auto* x = start.const_data_ptr<double>();
  basis_.assign(x, x + n_);
  scale(basis(0), 1 / std::sqrt(inner(x, x, n_)), n_);
}

void Lanczos::extend_to(int64_t wanted) {
  const int64_t most = std::min(wanted, n_);
  at::Tensor next = at::empty({n_}, at::kDouble);
  while (!exhausted_ && steps() < most) {
    const auto k = static_cast<size_t>(steps());
    at::mv_out(next, g_, at::from_blob(basis(k), {n_}, at::kDouble));
    auto* y = next.data_ptr<double>();
    alpha_.push_back(inner(basis(k), y, n_));
    const double before = std::sqrt(inner(y, y, n_));
    for (int twice = 0; twice < 2; ++twice) {  // is enough
      for (size_t j = 0; j <= k; ++j) add_multiple(y, -inner(basis(j), y, n_), basis(j), n_);
    }
    const double length = std::sqrt(inner(y, y, n_));
    exhausted_ = length <= 1e-14 * before;
    if (exhausted_) return;
    beta_.push_back(length);
    scale(y, 1 / length, n_);
    basis_.insert(basis_.end(), y, y + n_);
  }
}

Lanczos::Top Lanczos::top() const {
  const Tridiagonal t{alpha_, beta_};
  const std::vector<double> s = t.vector(t.largest());
  at::Tensor x = at::zeros({n_}, at::kDouble);
  auto* data = x.data_ptr<double>();
  for (size_t i = 0; i < s.size(); ++i) add_multiple(data, s[i], basis(i), n_);
  scale(data, 1 / std::sqrt(inner(data, data, n_)), n_);
  const at::Tensor image = g_.mv(x);
  return {x, inner(data, image.const_data_ptr<double>(), n_)};
}

}  // namespace contraflow
