#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/plot/color.h"
#include "cli/plot/geometry.h"

typedef struct _cairo cairo_t;
typedef struct _cairo_surface cairo_surface_t;

namespace contraflow::plot {

enum class Align { kStart, kMiddle, kEnd };

/// How text is set. Vertical alignment is by the height of capitals, so that neighbours line up.
struct TextStyle {
  double size = theme::kTickSize;
  bool bold = false;
  Color color = theme::kSoftInk;
  Align horizontal = Align::kStart;
  Align vertical = Align::kMiddle;  ///< kStart: `at.y` is the top of capitals; kEnd: the baseline.
  bool upwards = false;             ///< Turned a quarter to the left; alignment turns with it.
};

struct Stroke {
  Color color = theme::kInk;
  double width = 1.0;
  double alpha = 1.0;
  bool dashed = false;
};

/// Raster image, row 0 on top.
struct Pixels {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint32_t> rgb = {};  ///< 0x00RRGGBB, row after row.
};
uint32_t pack_rgb(const Color& color);

/// Width of `text` in points; what Canvas::text will take.
double text_width(std::string_view text, const TextStyle& style);
/// `text`, or its beginning with an ellipsis so that it takes at most `max_width`.
std::string ellipsized(std::string_view text, const TextStyle& style, double max_width);
/// The same with the ellipsis inside: of names that begin alike the ends tell them apart.
std::string shortened_inside(std::string_view text, const TextStyle& style, double max_width);
/// Whether a font of the machine has every character of `text`; others are drawn as boxes.
bool has_glyphs(std::string_view text);
/// Valid UTF-8 without control characters: bytes that are neither become U+FFFD or a space.
std::string printable(std::string_view text);

/// Drawing surface in points with two pixels to the point.
///
/// Threads    one canvas per thread.
/// Throws     DomainError (size not in 1..10000 points); IoError (cairo fails, or the file does).
class Canvas {
 public:
  static constexpr double kPixelsPerPoint = 2.0;

  Canvas(double width, double height);
  ~Canvas();
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;

  double width() const { return width_; }
  double height() const { return height_; }

  void fill(const Rect& rect, const Color& color, double alpha = 1.0);
  void frame(const Rect& rect, const Stroke& stroke);
  void line(Point from, Point to, const Stroke& stroke);
  /// Broken where a point is not finite.
  void polyline(std::span<const Point> points, const Stroke& stroke);
  void polygon(std::span<const Point> points, const Color& color, double alpha = 1.0);
  void disc(Point center, double radius, const Color& color, double alpha = 1.0);
  void ring(Point center, double radius, const Stroke& stroke);
  void text(Point at, std::string_view text, const TextStyle& style);
  /// Stretched over `rect` without smoothing.
  void image(const Rect& rect, const Pixels& pixels);

  /// Limits drawing to a rectangle while it lives.
  class Clip {
   public:
    Clip(Canvas& canvas, const Rect& rect);
    ~Clip();
    Clip(const Clip&) = delete;
    Clip& operator=(const Clip&) = delete;

   private:
    cairo_t* cairo_;
  };

  /// Writes the whole file or, with IoError, nothing: an old file then stays as it was.
  void write_png(const std::filesystem::path& path) const;

 private:
  void trace(std::span<const Point> points);
  void set_stroke(const Stroke& stroke);

  double width_;
  double height_;
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_;
  std::unique_ptr<cairo_t, void (*)(cairo_t*)> cairo_;
};

}  // namespace contraflow::plot
