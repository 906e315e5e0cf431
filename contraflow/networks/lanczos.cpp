#include "contraflow/networks/lanczos.h"

#include <ATen/ATen.h>

#include <cmath>

namespace contraflow {
namespace {

double dot_of(const at::Tensor& a, const at::Tensor& b) {
  const auto* x = a.const_data_ptr<double>();
  const auto* y = b.const_data_ptr<double>();
  constexpr int64_t kParts = 8;  // independent sums, which the compiler keeps in vectors
  double part[kParts] = {};
  int64_t i = 0;
  for (; i + kParts <= a.numel(); i += kParts) {
    for (int64_t k = 0; k < kParts; ++k) part[k] += x[i + k] * y[i + k];
  }
  double sum = 0;
  for (; i < a.numel(); ++i) sum += x[i] * y[i];
  for (const double p : part) sum += p;
  return sum;
}

// a += factor b
void add_to(const at::Tensor& a, double factor, const at::Tensor& b) {
  auto* x = a.data_ptr<double>();
  const auto* y = b.const_data_ptr<double>();
  for (int64_t i = 0; i < a.numel(); ++i) x[i] += factor * y[i];
}

}  // namespace

Lanczos::Lanczos(const at::Tensor& g, const at::Tensor& start) : g_(g) {
  const double length = std::sqrt(dot_of(start, start));
  basis_.push_back(start / length);
}

void Lanczos::extend_to(int64_t wanted) {
  const int64_t most = std::min(wanted, g_.size(0));
  while (!exhausted_ && steps() < most) {
    const at::Tensor& v = basis_.back();
    const at::Tensor next = g_.mv(v);
    alpha_.push_back(dot_of(v, next));
    const double before = std::sqrt(dot_of(next, next));
    for (const at::Tensor& u : basis_) add_to(next, -dot_of(u, next), u);
    for (const at::Tensor& u : basis_) add_to(next, -dot_of(u, next), u);  // twice is enough
    const double length = std::sqrt(dot_of(next, next));
    exhausted_ = length <= 1e-14 * before;
    if (exhausted_) return;
    beta_.push_back(length);
    basis_.push_back(next / length);
  }
}

Lanczos::Top Lanczos::top() const {
  const int64_t k = steps();
  const at::Tensor t = at::zeros({k, k}, at::kDouble);
  auto* data = t.data_ptr<double>();
  for (int64_t i = 0; i < k; ++i) {
    data[i * k + i] = alpha_[static_cast<size_t>(i)];
    if (i + 1 < k) data[i * k + i + 1] = data[(i + 1) * k + i] = beta_[static_cast<size_t>(i)];
  }
  const auto [values, vectors] = at::linalg_eigh(t);
  const at::Tensor s = vectors.select(1, k - 1);
  const at::Tensor x = at::zeros_like(basis_.front());
  for (int64_t i = 0; i < k; ++i) add_to(x, s[i].item<double>(), basis_[static_cast<size_t>(i)]);
  const double length = std::sqrt(dot_of(x, x));
  const at::Tensor unit = x / length;
  return {unit, dot_of(unit, g_.mv(unit))};
}

}  // namespace contraflow
