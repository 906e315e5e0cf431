#pragma once

#include <filesystem>

typedef struct _cairo_surface cairo_surface_t;

namespace contraflow::plot {

/// Encodes `surface` (RGB24) as PNG into `path`, whole or not at all (AtomicFile): with a palette
/// where 256 colours do (png_palette.h). Throws IoError.
void write_png_file(cairo_surface_t* surface, const std::filesystem::path& path);

}  // namespace contraflow::plot
