#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

namespace contraflow {

/// Sum of two tensors of which an undefined one counts as zero.
inline at::Tensor add_defined(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined()) return b;
  return b.defined() ? a + b : a;
}

}  // namespace contraflow
