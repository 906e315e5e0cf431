#pragma once

#include <array>
#include <cstdint>
#include <utility>

namespace contraflow {

/// What a convolution reads beyond the border of its grid.
enum class ConvPadding {
  kZero,      ///< zeros, as the papers' networks do
  kCircular,  ///< the opposite side: the grid is a torus
};

constexpr auto enum_names(ConvPadding) {
  return std::array{std::pair{"zero", ConvPadding::kZero},
                    std::pair{"circular", ConvPadding::kCircular}};
}

/// The pixels on which a convolution works.
struct ConvGrid {
  int64_t height = 1;
  int64_t width = 1;
  ConvPadding padding = ConvPadding::kZero;
};

}  // namespace contraflow
