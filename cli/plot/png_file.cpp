#include "cli/plot/png_file.h"

#include <cairo.h>
#include <zlib.h>

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

void append_u32(std::string& bytes, uint32_t value) {
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>((value >> shift) & 0xFFU);
}

void append_color(std::string& bytes, uint32_t color) {
  for (const int shift : {16, 8, 0}) bytes += static_cast<char>((color >> shift) & 0xFFU);
}

/// Length, kind, content and checksum.
void append_chunk(std::string& png, const std::string& kind, const std::string& content) {
  append_u32(png, static_cast<uint32_t>(content.size()));
  const std::string covered = kind + content;
  png += covered;
  const auto* bytes = reinterpret_cast<const Bytef*>(covered.data());
  append_u32(png, static_cast<uint32_t>(crc32(0, bytes, static_cast<uInt>(covered.size()))));
}

std::string compressed(const std::string& bytes) {
  uLongf length = compressBound(static_cast<uLong>(bytes.size()));
  std::string out(length, '\0');
  const int status = compress2(reinterpret_cast<Bytef*>(out.data()), &length,
                               reinterpret_cast<const Bytef*>(bytes.data()),
                               static_cast<uLong>(bytes.size()), Z_BEST_COMPRESSION);
  if (status != Z_OK) {
    fail<IoError>("plot.write_png", "picture", "a PNG compressed by zlib", zError(status),
                  "Free some memory, or draw a smaller picture");
  }
  out.resize(length);
  return out;
}

/// Rows without a filter: these pictures repeat themselves, and filters hide that.
template <class Append>
std::string rows_of(const Raster& raster, size_t bytes_per_pixel, Append append) {
  std::string rows;
  rows.reserve(raster.height * (1 + raster.width * bytes_per_pixel));
  for (size_t row = 0; row < raster.height; ++row) {
    rows += '\0';
    for (size_t col = 0; col < raster.width; ++col) append(rows, row * raster.width + col);
  }
  return rows;
}

std::string encode(const Raster& raster) {
  const std::optional<Palette> palette = palette_of(raster.pixels);
  std::string png = "\x89PNG\r\n\x1a\n";
  std::string header;
  append_u32(header, raster.width);
  append_u32(header, raster.height);
  header += '\x08';                     // bits of a number
  header += palette ? '\x03' : '\x02';  // numbers of a palette, or red, green, blue
  header += std::string(3, '\0');       // deflate, filters by row, not interlaced
  append_chunk(png, "IHDR", header);
  if (palette) {
    std::string colors;
    for (const uint32_t color : palette->colors) append_color(colors, color);
    append_chunk(png, "PLTE", colors);
    append_chunk(png, "IDAT", compressed(rows_of(raster, 1, [&](std::string& rows, size_t at) {
                   rows += static_cast<char>(palette->index[at]);
                 })));
  } else {
    append_chunk(png, "IDAT", compressed(rows_of(raster, 3, [&](std::string& rows, size_t at) {
                   append_color(rows, raster.pixels[at]);
                 })));
  }
  append_chunk(png, "IEND", {});
  return png;
}

}  // namespace

void write_png_file(cairo_surface_t* surface, const std::filesystem::path& path) {
  atomic_write(path, encode(raster_of(surface)));
}

}  // namespace contraflow::plot
