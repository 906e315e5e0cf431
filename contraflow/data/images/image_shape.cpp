#include "contraflow/data/images/image_shape.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace contraflow::data::images {
namespace {

bool are_channels(int64_t size) { return size == 1 || size == 3; }

// Side of the squares of three channels after each other; 0 where there are none.
int64_t flat_side(int64_t values) {
  constexpr int64_t kLeast = 8;  // a table of bytes with so many columns is a rare one
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(values / 3))));
  return side >= kLeast && 3 * side * side == values ? side : 0;
}

}  // namespace

std::optional<PixelOrder> pixel_order(at::IntArrayRef sizes) {
  if (std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 1; })) return {};
  if (sizes.size() == 2 && flat_side(sizes[1]) > 0) return PixelOrder::kFlat;
  if (sizes.size() == 3) return PixelOrder::kGrey;
  if (sizes.size() == 4 && are_channels(sizes[1])) return PixelOrder::kChannelsFirst;
  if (sizes.size() == 4 && are_channels(sizes[3])) return PixelOrder::kChannelsLast;
  return {};
}

at::Tensor channels_first(const at::Tensor& array, PixelOrder order) {
  switch (order) {
    case PixelOrder::kGrey:
      return array.unsqueeze(1);
    case PixelOrder::kChannelsLast:
      return array.permute({0, 3, 1, 2}).contiguous();
    case PixelOrder::kFlat: {
      const int64_t side = flat_side(array.size(1));
      return array.view({array.size(0), 3, side, side});
    }
    case PixelOrder::kChannelsFirst:
      break;
  }
  return array;
}

}  // namespace contraflow::data::images
