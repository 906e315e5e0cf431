#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/networks/conv_grid.h"

namespace contraflow {

/// The pixels that a kernel of side k reads at each place of a grid, on the host:
///   taps[n, y, x, dy, dx, c] = a[n, y + dy - r, x + dx - r, c],  r = (k - 1) / 2,
/// with what `padding` says beyond the border.
///
/// Shapes   a [n, height, width, c], contiguous; taps [n height width, k k c].
/// Types    float, double.
/// Threads  shared with the caller's; results do not depend on their number.
at::Tensor gather_taps(const at::Tensor& a, int64_t kernel, ConvPadding padding);
/// The transpose as a linear map, added to `sum` [n, height, width, c], contiguous.
void scatter_taps(const at::Tensor& taps, int64_t kernel, ConvPadding padding,
                  const at::Tensor& sum);

}  // namespace contraflow
