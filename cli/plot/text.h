#pragma once

#include <string_view>

#include "cli/plot/canvas.h"

namespace contraflow::plot {

/// Sets face, size and rendering options for `style`.
void use_font(cairo_t* cairo, const TextStyle& style);
/// Draws `text` aligned to `at` as `style` says.
void show_text(cairo_t* cairo, Point at, std::string_view text, const TextStyle& style);

}  // namespace contraflow::plot
