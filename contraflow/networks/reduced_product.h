#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "contraflow/networks/product_type.h"

namespace contraflow {

/// t rounded to what a factor of such products can hold, in its own type.
at::Tensor rounded(const at::Tensor& t, ProductType type);

/// Whether the processor multiplies bfloat16 numbers by instructions of its own, so that LibTorch's
/// products of them are fast.
bool has_bfloat16_instructions();

/// A product of two factors, whatever their shapes: matrices or images and kernels.
using ProductBody = std::function<at::Tensor(const at::Tensor& a, const at::Tensor& b)>;

/// `body` on float32 factors in products of that type: by LibTorch's of bfloat16 tensors, or with TF32
/// allowed, where the device or the processor has them; else the same numbers by rounded factors, which
/// one message of the log says once.
at::Tensor in_products_of(ProductType type, const at::Tensor& a, const at::Tensor& b,
                          const ProductBody& body);

/// Lets float32 products and convolutions on CUDA devices use TF32 while it lives. The switch is the
/// process's: another thread's float32 products of that time may use it too.
class AllowTf32 {
 public:
  AllowTf32();
  ~AllowTf32();
  AllowTf32(const AllowTf32&) = delete;
  AllowTf32& operator=(const AllowTf32&) = delete;

 private:
  bool products_, convolutions_;
};

}  // namespace contraflow
