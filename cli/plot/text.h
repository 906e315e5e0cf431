#pragma once

#include <string_view>

#include "cli/plot/canvas.h"

namespace contraflow::plot {

/// Sets face, size and rendering options for `style`; the face is one that has the characters of
/// `text`, where the machine has such a font.
void use_font(cairo_t* cairo, const TextStyle& style, std::string_view text);
/// Draws `text` aligned to `at` as `style` says.
void show_text(cairo_t* cairo, Point at, std::string_view text, const TextStyle& style);

}  // namespace contraflow::plot
