#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace contraflow::plot {

/// Colours of a picture in one byte a pixel.
struct Palette {
  std::vector<uint32_t> colors = {};  ///< 0x00RRGGBB, at most 256, dark before light.
  std::vector<uint8_t> index = {};    ///< One for each pixel.
};

/// The palette of a picture with few colours. One of some more, as the shades of thin lines make
/// them, gets each rare colour's nearest frequent one, which no channel notices by more than 6 of
/// 255; frequent colours stay as they are. Nothing where 256 do not come that near to all.
std::optional<Palette> palette_of(std::span<const uint32_t> pixels);

}  // namespace contraflow::plot
