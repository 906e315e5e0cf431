// Text of a canvas: cleaning, measuring, shortening, drawing.
#include "cli/plot/text.h"

#include <cairo.h>

#include <array>

#include "cli/plot/canvas.h"

namespace contraflow::plot {
namespace {

constexpr const char* kFont = "DejaVu Sans";
/// Height of capitals of DejaVu Sans per unit of size.
constexpr double kCapHeight = 0.729;
constexpr std::string_view kReplacement = "\uFFFD";
constexpr std::string_view kEllipsis = "…";

unsigned char byte_at(std::string_view text, size_t i) {
  return static_cast<unsigned char>(text[i]);
}

/// Bytes of the UTF-8 character at `i`, 0 if it is malformed, overlong, a surrogate or too large.
size_t character_length(std::string_view text, size_t i) {
  const unsigned char lead = byte_at(text, i);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || i + length > text.size()) return 0;
  uint32_t code = lead & (0x7FU >> length);
  for (size_t k = 1; k < length; ++k) {
    const unsigned char next = byte_at(text, i + k);
    if ((next & 0xC0) != 0x80) return 0;
    code = (code << 6) | (next & 0x3FU);
  }
  static constexpr std::array<uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < kSmallest[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

double advance_of(cairo_t* cairo, const std::string& text) {
  cairo_text_extents_t extents;
  cairo_text_extents(cairo, text.c_str(), &extents);
  return extents.x_advance;
}

double aligned(Align align, double size) {
  return align == Align::kStart ? 0.0 : align == Align::kMiddle ? 0.5 * size : size;
}

/// Context that only measures.
class Ruler {
 public:
  explicit Ruler(const TextStyle& style)
      : surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1), cairo_surface_destroy),
        cairo_(cairo_create(surface_.get()), cairo_destroy) {
    use_font(cairo_.get(), style);
  }
  double width(const std::string& text) const { return advance_of(cairo_.get(), text); }

 private:
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_;
  std::unique_ptr<cairo_t, void (*)(cairo_t*)> cairo_;
};

}  // namespace

void use_font(cairo_t* cairo, const TextStyle& style) {
  cairo_select_font_face(cairo, kFont, CAIRO_FONT_SLANT_NORMAL,
                         style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cairo, style.size);
  const std::unique_ptr<cairo_font_options_t, void (*)(cairo_font_options_t*)> options(
      cairo_font_options_create(), cairo_font_options_destroy);
  // Without hinting a text measures the same at every scale.
  cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
  cairo_set_font_options(cairo, options.get());
}

void show_text(cairo_t* cairo, Point at, std::string_view text, const TextStyle& style) {
  const std::string clean = printable(text);
  cairo_save(cairo);
  use_font(cairo, style);
  cairo_set_source_rgb(cairo, style.color.r, style.color.g, style.color.b);
  cairo_translate(cairo, at.x, at.y);
  if (style.upwards) cairo_rotate(cairo, -1.5707963267948966);
  const double cap = kCapHeight * style.size;
  cairo_move_to(cairo, -aligned(style.horizontal, advance_of(cairo, clean)),
                cap - aligned(style.vertical, cap));
  cairo_show_text(cairo, clean.c_str());
  cairo_restore(cairo);
}

std::string printable(std::string_view text) {
  std::string clean;
  for (size_t i = 0; i < text.size();) {
    const size_t length = character_length(text, i);
    if (length == 0) {
      clean += kReplacement;
    } else if (byte_at(text, i) < 0x20 || byte_at(text, i) == 0x7F) {
      clean += ' ';
    } else {
      clean += text.substr(i, length);
    }
    i += length == 0 ? 1 : length;
  }
  return clean;
}

double text_width(std::string_view text, const TextStyle& style) {
  return Ruler(style).width(printable(text));
}

std::string ellipsized(std::string_view text, const TextStyle& style, double max_width) {
  const Ruler ruler(style);
  const std::string clean = printable(text);
  if (ruler.width(clean) <= max_width) return clean;
  std::vector<size_t> ends{0};
  while (ends.back() < clean.size()) {
    ends.push_back(ends.back() + character_length(clean, ends.back()));
  }
  const auto shortened = [&](size_t characters) {
    std::string head = clean.substr(0, ends[characters]);
    while (!head.empty() && head.back() == ' ') head.pop_back();
    return head + std::string(kEllipsis);
  };
  size_t fits = 0;
  size_t too_long = ends.size();
  while (too_long - fits > 1) {
    const size_t middle = fits + (too_long - fits) / 2;
    (ruler.width(shortened(middle)) <= max_width ? fits : too_long) = middle;
  }
  return shortened(fits);
}

}  // namespace contraflow::plot
