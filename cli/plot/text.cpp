// Text of a canvas: cleaning, measuring, shortening, drawing.
#include "cli/plot/text.h"

#include <cairo.h>

#include <algorithm>
#include <array>

#include "cli/plot/canvas.h"

namespace contraflow::plot {
namespace {

constexpr const char* kFont = "DejaVu Sans";
/// Where that font lacks a character. Cairo takes the fonts of a family by name only, so these are
/// the names that systems give to fonts of many scripts; "sans-serif" is what the machine prefers.
constexpr std::array kFurtherFonts{"sans-serif",
                                   "Noto Sans CJK SC",
                                   "Noto Sans CJK JP",
                                   "Noto Sans CJK KR",
                                   "Noto Sans SC",
                                   "Noto Sans JP",
                                   "Source Han Sans SC",
                                   "WenQuanYi Micro Hei",
                                   "WenQuanYi Zen Hei",
                                   "Droid Sans Fallback",
                                   "IPAGothic",
                                   "TakaoGothic",
                                   "NanumGothic",
                                   "Noto Sans",
                                   "Noto Sans Arabic",
                                   "Noto Sans Devanagari",
                                   "Noto Sans Hebrew",
                                   "Noto Sans Thai",
                                   "Noto Sans Bengali",
                                   "Noto Sans Tamil",
                                   "Arial Unicode MS",
                                   "PingFang SC",
                                   "Hiragino Sans",
                                   "Microsoft YaHei",
                                   "Noto Sans Symbols",
                                   "Noto Sans Symbols 2",
                                   "DejaVu Math TeX Gyre",
                                   "FreeSans",
                                   "Unifont"};
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

void select_face(cairo_t* cairo, const char* family, bool bold) {
  cairo_select_font_face(cairo, family, CAIRO_FONT_SLANT_NORMAL,
                         bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
}

/// Whether the face in use has a picture of every character.
bool face_has(cairo_t* cairo, const std::string& text) {
  cairo_glyph_t* glyphs = nullptr;
  int count = 0;
  const cairo_status_t status = cairo_scaled_font_text_to_glyphs(
      cairo_get_scaled_font(cairo), 0.0, 0.0, text.c_str(), static_cast<int>(text.size()), &glyphs,
      &count, nullptr, nullptr, nullptr);
  bool all = status == CAIRO_STATUS_SUCCESS;
  for (int i = 0; i < count; ++i) all = all && glyphs[i].index != 0;
  cairo_glyph_free(glyphs);
  return all;
}

/// Puts the first family with all characters into use; the usual one, and false, if none has them.
bool select_family(cairo_t* cairo, const std::string& text, bool bold) {
  select_face(cairo, kFont, bold);
  const bool plain = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (plain || face_has(cairo, text)) return true;
  for (const char* family : kFurtherFonts) {
    select_face(cairo, family, bold);
    if (face_has(cairo, text)) return true;
  }
  select_face(cairo, kFont, bold);
  return false;
}

/// Context that only measures.
class Ruler {
 public:
  explicit Ruler(const TextStyle& style, const std::string& text = {})
      : surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1), cairo_surface_destroy),
        cairo_(cairo_create(surface_.get()), cairo_destroy) {
    use_font(cairo_.get(), style, text);
  }
  cairo_t* context() const { return cairo_.get(); }
  double width(const std::string& text) const { return advance_of(cairo_.get(), text); }

 private:
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_;
  std::unique_ptr<cairo_t, void (*)(cairo_t*)> cairo_;
};

/// Ends of the characters of valid UTF-8, from 0 on.
std::vector<size_t> character_ends(std::string_view text) {
  std::vector<size_t> ends{0};
  while (ends.back() < text.size())
    ends.push_back(ends.back() + character_length(text, ends.back()));
  return ends;
}

/// The beginning of a text and its last `kept` characters with an ellipsis in between, so that it
/// takes at most `max_width`; of too little room the end goes first.
std::string shortened_to(std::string_view text, const TextStyle& style, double max_width,
                         size_t kept) {
  const std::string clean = printable(text);
  const Ruler ruler(style, clean);
  if (ruler.width(clean) <= max_width) return clean;
  const std::vector<size_t> ends = character_ends(clean);
  const size_t count = ends.size() - 1;
  std::string tail = kept < count ? clean.substr(ends[count - kept]) : "";
  if (ruler.width(std::string(kEllipsis) + tail) > 0.7 * max_width) tail.clear();
  const auto shortened = [&](size_t characters) {
    std::string head = clean.substr(0, ends[characters]);
    while (!head.empty() && head.back() == ' ') head.pop_back();
    return head + std::string(kEllipsis) + tail;
  };
  size_t fits = 0;
  size_t too_long = ends.size();
  while (too_long - fits > 1) {
    const size_t middle = fits + (too_long - fits) / 2;
    (ruler.width(shortened(middle)) <= max_width ? fits : too_long) = middle;
  }
  return shortened(fits);
}

}  // namespace

void use_font(cairo_t* cairo, const TextStyle& style, std::string_view text) {
  cairo_set_font_size(cairo, style.size);
  const std::unique_ptr<cairo_font_options_t, void (*)(cairo_font_options_t*)> options(
      cairo_font_options_create(), cairo_font_options_destroy);
  // Without hinting a text measures the same at every scale.
  cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
  cairo_set_font_options(cairo, options.get());
  select_family(cairo, std::string(text), style.bold);
}

bool has_glyphs(std::string_view text) {
  return select_family(Ruler(TextStyle{}).context(), printable(text), false);
}

void show_text(cairo_t* cairo, Point at, std::string_view text, const TextStyle& style) {
  const std::string clean = printable(text);
  cairo_save(cairo);
  use_font(cairo, style, clean);
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
  const std::string clean = printable(text);
  return Ruler(style, clean).width(clean);
}

std::string ellipsized(std::string_view text, const TextStyle& style, double max_width) {
  return shortened_to(text, style, max_width, 0);
}

std::string shortened_inside(std::string_view text, const TextStyle& style, double max_width) {
  constexpr size_t kKeptEnd = 4;
  return shortened_to(text, style, max_width, kKeptEnd);
}

}  // namespace contraflow::plot
