// A picture read back from its file.
#pragma once

#include <cairo.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "cli/plot/canvas.h"
#include "tests/support/temp_folder.h"

namespace contraflow::plot::testing {

using contraflow::testing::TempFolder;

/// Pixels of a PNG; coordinates in pixels, two to the point.
class Picture {
 public:
  explicit Picture(const std::filesystem::path& path)
      : surface_(cairo_image_surface_create_from_png(path.c_str()), cairo_surface_destroy) {
    EXPECT_EQ(cairo_surface_status(surface_.get()), CAIRO_STATUS_SUCCESS) << path;
  }
  int width() const { return cairo_image_surface_get_width(surface_.get()); }
  int height() const { return cairo_image_surface_get_height(surface_.get()); }
  uint32_t at(int x, int y) const {
    const unsigned char* row = cairo_image_surface_get_data(surface_.get()) +
                               static_cast<size_t>(y) * static_cast<size_t>(stride());
    return reinterpret_cast<const uint32_t*>(row)[x] & 0xFFFFFFU;
  }
  int64_t count(const Color& color) const {
    const uint32_t wanted = pack_rgb(color);
    int64_t found = 0;
    for (int y = 0; y < height(); ++y) {
      for (int x = 0; x < width(); ++x) found += at(x, y) == wanted ? 1 : 0;
    }
    return found;
  }
  /// Pixels nearer than `distance` to a side that are not paper.
  int64_t marks_at_border(int distance) const {
    const uint32_t paper = pack_rgb(theme::kPaper);
    int64_t found = 0;
    for (int y = 0; y < height(); ++y) {
      for (int x = 0; x < width(); ++x) {
        const bool inside =
            x >= distance && y >= distance && x < width() - distance && y < height() - distance;
        found += !inside && at(x, y) != paper ? 1 : 0;
      }
    }
    return found;
  }

 private:
  int stride() const { return cairo_image_surface_get_stride(surface_.get()); }
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_;
};

/// Free border, in pixels, that every figure must keep: half its margin of 28 points.
inline constexpr int kFreeBorder = 28;

inline Picture drawn(const std::function<void(const std::filesystem::path&)>& draw) {
  const TempFolder folder;
  draw(folder / "picture.png");
  return Picture(folder / "picture.png");
}

/// Sum of the channels of a packed colour.
inline int brightness(uint32_t rgb) {
  return static_cast<int>((rgb >> 16) + ((rgb >> 8) & 0xFFU) + (rgb & 0xFFU));
}

}  // namespace contraflow::plot::testing
