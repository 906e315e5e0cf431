#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace contraflow::plot {

/// Images of one origin, e.g. data or samples.
struct ImageSet {
  std::string caption = {};
  std::string note = {};  ///< Small, right of the caption.
  std::vector<double> pixels =
      {};  ///< Image after image, each [channels, rows, cols], values in 0..1.
};

enum class GreyScale {
  kOneIsWhite,  ///< As in photographs.
  kOneIsInk,    ///< As handwriting on paper.
};

/// Sets of small images side by side (those beyond `blocks_per_line` go below), each a block of `per_row`
/// columns.
struct ImageGrid {
  std::string title = {};
  std::string subtitle = {};
  int64_t rows = 8;
  int64_t cols = 8;
  int64_t channels = 1;  ///< 1 = grey, 3 = red, green, blue.
  int64_t per_row = 8;
  int64_t blocks_per_line = 2;  ///< Sets side by side.
  GreyScale grey = GreyScale::kOneIsWhite;
  std::vector<ImageSet> sets = {};
};

/// Values outside 0..1 are drawn as the nearest end, NaN in neutral grey-violet.
/// Throws     DomainError (no set, an empty set, a size that is not a number of images, channels
///            other than 1 and 3, a picture too large); IoError (the file).
void draw_image_grid(const ImageGrid& grid, const std::filesystem::path& path);

}  // namespace contraflow::plot
