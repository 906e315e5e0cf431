#include "contraflow/log_det/product_rounding.h"

#include <ATen/ATen.h>

namespace contraflow {

ProductRounding::ProductRounding(const NetPoint& point, double norm, const at::Tensor& v)
    : error_(point.product_error()), norm_(norm) {
  if (!any()) return;
  error_ = error_.to(v.scalar_type());
  size_ = row_norm(v, 2);
  distance_ = at::zeros_like(size_);
  sum_ = at::zeros({v.size(1)}, v.options());
}

void ProductRounding::advance(const at::Tensor& vector) {
  if (any()) distance_ = distance_ * norm_ + row_norm(vector, 2) * error_;
}

void ProductRounding::add(double weight) {
  if (any()) sum_.narrow(0, 0, distance_.size(1)).add_(off(), weight);
}

void ProductRounding::narrow(int64_t rows) {
  if (!any()) return;
  size_ = size_.narrow(1, 0, rows);
  distance_ = distance_.narrow(1, 0, rows);
}

void ProductRounding::select(const at::Tensor& rows) {
  if (!any()) return;
  size_ = size_.index_select(1, rows);
  distance_ = distance_.index_select(1, rows);
  sum_ = sum_.index_select(0, rows);
}

at::Tensor ProductRounding::added_to(const at::Tensor& tail, double tail_factor) const {
  return any() ? at::add(tail + sum_, off(), tail_factor) : tail;
}

}  // namespace contraflow
