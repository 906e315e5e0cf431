#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace contraflow::data::images {

/// Where the axes of an array of images are.
enum class PixelOrder {
  kGrey,           ///< [N, H, W].
  kChannelsFirst,  ///< [N, C, H, W].
  kChannelsLast,   ///< [N, H, W, C].
  kFlat            ///< [N, 3 S S]: three channels after each other, each a square of S >= 8 rows.
};

/// The order of an array of these sizes; nullopt where it holds no images. Images have 1 or 3
/// channels; where both axes could be the channels, the first one is.
std::optional<PixelOrder> pixel_order(at::IntArrayRef sizes);

/// [N, C, H, W], contiguous, of an array in this order. Cost: a view, or a copy for kChannelsLast.
at::Tensor channels_first(const at::Tensor& array, PixelOrder order);

}  // namespace contraflow::data::images
