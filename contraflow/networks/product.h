#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/networks/product_type.h"

namespace contraflow {

/// a b, plus a bias [n] where there is one, for a [m, k] and b [k, n]: on the host by the project's
/// own product (kernels/matrix_product.h), whose row of the result depends on that row of `a` alone,
/// else by LibTorch's. Products of reduced precision: networks/reduced_product.h. No autograd.
at::Tensor product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {},
                   ProductType type = ProductType::kWorking);
/// The same to `out` [m, n], contiguous; own products, or ones of reduced precision.
void product_into(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias,
                  const at::Tensor& out, ProductType type = ProductType::kWorking);
/// sum += a b; an undefined sum is zero.
void add_product(const at::Tensor& a, const at::Tensor& b, at::Tensor& sum,
                 ProductType type = ProductType::kWorking);
/// Whether products of this tensor are the project's own.
bool has_own_product(const at::Tensor& a);

}  // namespace contraflow
