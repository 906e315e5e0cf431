#include "cli/plot/png_file.h"

#include <cairo.h>
#include <png.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cli/plot/png_palette.h"
#include "contraflow/core/error.h"
#include "contraflow/core/file.h"

namespace contraflow::plot {
namespace {

struct Raster {
  uint32_t width = 0;
  uint32_t height = 0;
  std::vector<uint32_t> pixels = {};  ///< 0x00RRGGBB
};

Raster raster_of(cairo_surface_t* surface) {
  Raster raster{static_cast<uint32_t>(cairo_image_surface_get_width(surface)),
                static_cast<uint32_t>(cairo_image_surface_get_height(surface)),
                {}};
  const unsigned char* data = cairo_image_surface_get_data(surface);
  const auto stride = static_cast<size_t>(cairo_image_surface_get_stride(surface));
  raster.pixels.reserve(size_t{raster.width} * raster.height);
  for (size_t row = 0; row < raster.height; ++row) {
    const auto* line = reinterpret_cast<const uint32_t*>(data + row * stride);
    for (size_t col = 0; col < raster.width; ++col) raster.pixels.push_back(line[col] & 0xFFFFFFU);
  }
  return raster;
}

std::vector<png_byte> bytes_of(std::span<const uint32_t> colors) {
  std::vector<png_byte> out;
  out.reserve(3 * colors.size());
  for (const uint32_t color : colors) {
    for (const int shift : {16, 8, 0}) out.push_back(static_cast<png_byte>(color >> shift));
  }
  return out;
}

std::string encode(const Raster& raster) {
  const std::optional<Palette> palette = palette_of(raster.pixels);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = raster.width;
  image.height = raster.height;
  image.format = palette ? PNG_FORMAT_RGB_COLORMAP : PNG_FORMAT_RGB;
  if (palette) image.colormap_entries = static_cast<png_uint_32>(palette->colors.size());
  const std::vector<png_byte> pixels = palette ? palette->index : bytes_of(raster.pixels);
  const std::vector<png_byte> colors = palette ? bytes_of(palette->colors) : pixels;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string png(size, '\0');
  if (png_image_write_to_memory(&image, png.data(), &size, /*convert_to_8_bit=*/0, pixels.data(),
                                /*row_stride=*/0, palette ? colors.data() : nullptr) == 0) {
    fail<IoError>("plot.write_png", "picture", "a PNG written by libpng", image.message,
                  "Free some memory, or draw a smaller picture.");
  }
  png.resize(size);
  return png;
}

}  // namespace

void write_png_file(cairo_surface_t* surface, const std::filesystem::path& path) {
  atomic_write(path, encode(raster_of(surface)));
}

}  // namespace contraflow::plot
