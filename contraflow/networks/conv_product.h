#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/networks/conv_grid.h"
#include "contraflow/networks/product_type.h"

namespace contraflow {

/// Convolutions on grids with the features last, without an autograd graph, in LibTorch's sense (a
/// cross-correlation): z[y, x, o] = sum of weight[o, i, dy, dx] a[y + dy - r, x + dx - r, i],
/// r = (k - 1) / 2, with what `padding` says beyond the border.
///
/// Shapes   weight [o, i, k, k], k odd; a [n, height, width, i]; z, u [n, height, width, o].
/// Types    those of the tensors, which agree. Products in `type`, the sums of taps in theirs.
/// Cost     on the host matrix products of the project's own (product.h): the taps of the side with
///          fewer channels are gathered before the product, or summed up after it, some events at a
///          time. Elsewhere at::convolution on channels-last tensors, which `a` is as a view: the
///          definition.

/// z, plus a bias [o] where there is one.
at::Tensor convolve(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias,
                    ConvPadding padding, ProductType type = ProductType::kWorking);
/// The transpose as a linear map: [n, height, width, i] from u.
at::Tensor convolve_transposed(const at::Tensor& u, const at::Tensor& weight, ConvPadding padding,
                               ProductType type = ProductType::kWorking);
/// The gradient of sum(u z) by the weight.
at::Tensor convolve_weight_gradient(const at::Tensor& u, const at::Tensor& a,
                                    const at::Tensor& weight, ConvPadding padding,
                                    ProductType type = ProductType::kWorking);

}  // namespace contraflow
