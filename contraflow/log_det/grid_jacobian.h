#pragma once

#include <cstdint>

#include "contraflow/log_det/log_det.h"
#include "contraflow/networks/grid_reach.h"

namespace contraflow {

/// J [b, d, d] of a net on images, from fewer products than features: columns of one channel whose
/// pixels are more than 2 radius apart along an axis meet in no row, so that they share a product.
///
/// Colours  an axis of N pixels has min(N, 2 radius + 1) of them, a circular one up to a pixel more
///          for each turn that it takes; products: one for each pair of colours and channel.
/// Bits     those of the Jacobian by columns: what is added to an entry are zeros.
/// Source   docs/numerics.md, "Coloured probes".
at::Tensor grid_jacobian(const NetPoint& point, const GridReach& reach);

/// Products that it takes.
int64_t grid_products(const GridReach& reach);

/// J t [count, b, d] for tangents [count, d] that all rows of the batch share, in chunks that keep
/// the products small: a tangent of the batch is `rows_of_tangent` rows of a matrix product.
at::Tensor jvp_of_each(const NetPoint& point, const at::Tensor& tangents, int64_t rows_of_tangent);

}  // namespace contraflow
