#pragma once

#include <ATen/ATen.h>

#include "contraflow/networks/conv_grid.h"

namespace contraflow::testing {

/// The convolution of `weight` [o, i, k, k] on a grid as a matrix, straight from its definition:
/// [height * width * o, height * width * i], features last.
inline at::Tensor dense_convolution(const at::Tensor& weight, const ConvGrid& grid) {
  const int64_t k = weight.size(2), r = (k - 1) / 2, h = grid.height, w = grid.width;
  at::Tensor out =
      at::zeros({h * w, weight.size(0), h * w, weight.size(1)}, weight.detach().options());
  const auto source = [&](int64_t at, int64_t size) -> int64_t {
    if (grid.padding == ConvPadding::kCircular) return ((at % size) + size) % size;
    return at >= 0 && at < size ? at : -1;
  };
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      for (int64_t tap = 0; tap < k * k; ++tap) {
        const int64_t from_y = source(y + tap / k - r, h), from_x = source(x + tap % k - r, w);
        if (from_y < 0 || from_x < 0) continue;
        out.select(0, y * w + x)
            .select(1, from_y * w + from_x)
            .add_(weight.detach().select(2, tap / k).select(2, tap % k));
      }
    }
  }
  return out.view({h * w * weight.size(0), h * w * weight.size(1)});
}

/// Its largest singular value, in float64.
inline double convolution_norm(const at::Tensor& weight, const ConvGrid& grid) {
  return at::linalg_svdvals(dense_convolution(weight.to(at::kDouble), grid)).max().item<double>();
}

}  // namespace contraflow::testing
