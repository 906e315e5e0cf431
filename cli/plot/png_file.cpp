#include "cli/plot/png_file.h"

#include <cairo.h>

#include <string>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"

namespace contraflow::plot {
namespace {

cairo_status_t append(void* closure, const unsigned char* data, unsigned int length) {
  try {
    static_cast<std::string*>(closure)->append(reinterpret_cast<const char*>(data), length);
  } catch (...) {
    // An exception must not pass through cairo's C frames.
    return CAIRO_STATUS_NO_MEMORY;
  }
  return CAIRO_STATUS_SUCCESS;
}

std::string encode(cairo_surface_t* surface) {
  std::string bytes;
  const cairo_status_t status = cairo_surface_write_to_png_stream(surface, append, &bytes);
  if (status != CAIRO_STATUS_SUCCESS) {
    fail<IoError>("plot.write_png", "picture", "a PNG encoded by cairo",
                  cairo_status_to_string(status), "Free some memory, or draw a smaller picture");
  }
  return bytes;
}

}  // namespace

void write_png_file(cairo_surface_t* surface, const std::filesystem::path& path) {
  atomic_write(path, encode(surface));
}

}  // namespace contraflow::plot
