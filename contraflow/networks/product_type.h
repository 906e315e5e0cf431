#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <utility>

#include "contraflow/core/export.h"

namespace contraflow {

/// The arithmetic of matrix products and convolutions.
///
/// bfloat16  both factors are rounded to bfloat16 (8 significant bits), sums are taken in float32, and
///           each result is rounded to bfloat16.
/// tf32      both factors have 11 significant bits: rounded here, or cut by a device's tensor cores;
///           sums and results are float32.
///
/// Of float32 tensors: those in float64 have working products whatever is said here.
enum class ProductType {
  kWorking,  ///< that of the tensors
  kBFloat16,
  kTf32,
};

constexpr auto enum_names(ProductType) {
  return std::array{std::pair{"working", ProductType::kWorking},
                    std::pair{"bfloat16", ProductType::kBFloat16},
                    std::pair{"tf32", ProductType::kTf32}};
}

/// Largest relative error of a factor of such a product of tensors of type `working`.
CF_EXPORT double unit_roundoff(ProductType type, at::ScalarType working);

/// A layer's weight as products of one type take it.
struct WeightFactor {
  at::Tensor weight;
  ProductType products = ProductType::kWorking;
};

/// The factor of a weight for products of reduced precision, rounded once; undefined where they are
/// working ones.
CF_EXPORT WeightFactor reduced_factor(const at::Tensor& weight, ProductType type);

/// Bound [] on |P a - W a| / |a|, P the product with `reduced`, W `weight`, of Euclidean norm at most
/// `lipschitz`, and of the transposed product alike; sums in float32 count as exact. [o, i, k, k] are
/// convolutions.
CF_EXPORT at::Tensor product_error(const WeightFactor& reduced, const at::Tensor& weight,
                                   double lipschitz);

}  // namespace contraflow
