#include "contraflow/core/vector_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace contraflow {

double dual_order(double order) {
  if (order == 1.0) return kInfinityOrder;
  if (std::isinf(order)) return 1.0;
  return order / (order - 1.0);
}

at::Tensor row_norm(const at::Tensor& t, double order) {
  return at::linalg_vector_norm(t, order, at::IntArrayRef{-1});
}

double vector_norm(const double* v, int64_t d, double order) {
  double largest = 0.0;
  for (int64_t k = 0; k < d; ++k) {
    if (std::isnan(v[k])) return v[k];
    largest = std::max(largest, std::abs(v[k]));
  }
  if (std::isinf(order) || largest == 0.0 || std::isinf(largest)) return largest;
  double sum = 0.0;  // of the entries over the largest: no power overflows
  for (int64_t k = 0; k < d; ++k) {
    const double part = std::abs(v[k]) / largest;
    sum += order == 1.0 ? part : order == 2.0 ? part * part : std::pow(part, order);
  }
  if (order == 1.0) return largest * sum;
  return largest * (order == 2.0 ? std::sqrt(sum) : std::pow(sum, 1.0 / order));
}

void dual_vector(const double* z, int64_t d, double order, double* x) {
  const double largest = vector_norm(z, d, kInfinityOrder);
  std::fill(x, x + d, 0.0);
  if (largest == 0.0) return;
  if (order == 1.0) {
    for (int64_t k = 0; k < d; ++k) {
      if (std::abs(z[k]) != largest) continue;
      x[k] = std::copysign(1.0, z[k]);
      return;
    }
  }
  const double power = dual_order(order) - 1.0;
  for (int64_t k = 0; k < d; ++k)
    x[k] = std::copysign(std::pow(std::abs(z[k]) / largest, power), z[k]);
  const double length = vector_norm(x, d, order);
  for (int64_t k = 0; k < d; ++k) x[k] /= length;
}

at::Tensor dual_rows(const at::Tensor& z, double order) {
  const at::Tensor rows = z.detach().to(at::kCPU, at::kDouble).contiguous();
  at::Tensor out = at::empty_like(rows);
  const int64_t d = z.size(-1);
  for (int64_t r = 0; r < rows.numel() / d; ++r)
    dual_vector(rows.const_data_ptr<double>() + r * d, d, order, out.data_ptr<double>() + r * d);
  return out.to(z.options());
}

double norm_ratio(double from, double to, int64_t d) {
  const double exponent = 1.0 / to - 1.0 / from;  // 1 / infinity is 0
  return exponent > 0.0 ? std::pow(static_cast<double>(d), exponent) : 1.0;
}

}  // namespace contraflow
