#include "cli/plot/canvas.h"

#include <cairo.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "cli/plot/png_file.h"
#include "cli/plot/text.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr double kLargestSide = 10000.0;

void require_success(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  fail<IoError>("plot.canvas", "picture", "a drawing by cairo", cairo_status_to_string(status),
                "Free some memory, or draw a smaller picture");
}

cairo_surface_t* make_surface(double width, double height) {
  const auto valid = [](double side) { return side >= 1.0 && side <= kLargestSide; };
  if (!valid(width) || !valid(height)) {
    fail<DomainError>("plot.canvas", "size", "sides of 1 to 10000 points",
                      std::to_string(width) + " x " + std::to_string(height),
                      "Draw fewer or smaller panels");
  }
  const auto pixels = [](double side) {
    return static_cast<int>(std::lround(side * Canvas::kPixelsPerPoint));
  };
  cairo_surface_t* surface =
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, pixels(width), pixels(height));
  const cairo_status_t status = cairo_surface_status(surface);
  if (status != CAIRO_STATUS_SUCCESS) cairo_surface_destroy(surface);
  require_success(status);
  return surface;
}

void set_source(cairo_t* cairo, const Color& color, double alpha) {
  cairo_set_source_rgba(cairo, color.r, color.g, color.b, alpha);
}

void add_rectangle(cairo_t* cairo, const Rect& rect) {
  cairo_rectangle(cairo, rect.x, rect.y, rect.width, rect.height);
}

void add_circle(cairo_t* cairo, Point center, double radius) {
  cairo_new_sub_path(cairo);
  cairo_arc(cairo, center.x, center.y, radius, 0.0, 2.0 * std::numbers::pi);
}

/// Cairo computes in 24.8 fixed point and wraps beyond it: far points are pulled to the brink,
/// which no visible line notices.
Point clamped(Point p) {
  constexpr double kFar = 100000.0;
  return {std::clamp(p.x, -kFar, kFar), std::clamp(p.y, -kFar, kFar)};
}

}  // namespace

uint32_t pack_rgb(const Color& color) {
  const auto byte = [](double v) {
    return static_cast<uint32_t>(std::lround(255.0 * std::clamp(v, 0.0, 1.0)));
  };
  return byte(color.r) << 16 | byte(color.g) << 8 | byte(color.b);
}

Canvas::Canvas(double width, double height)
    : width_(width),
      height_(height),
      surface_(make_surface(width, height), cairo_surface_destroy),
      cairo_(cairo_create(surface_.get()), cairo_destroy) {
  require_success(cairo_status(cairo_.get()));
  cairo_scale(cairo_.get(), kPixelsPerPoint, kPixelsPerPoint);
  cairo_set_line_join(cairo_.get(), CAIRO_LINE_JOIN_ROUND);
  set_source(cairo_.get(), theme::kPaper, 1.0);
  cairo_paint(cairo_.get());
}

Canvas::~Canvas() = default;

void Canvas::set_stroke(const Stroke& stroke) {
  set_source(cairo_.get(), stroke.color, stroke.alpha);
  cairo_set_line_width(cairo_.get(), stroke.width);
  const std::array<double, 2> dashes{5.0, 3.5};
  cairo_set_dash(cairo_.get(), dashes.data(), stroke.dashed ? 2 : 0, 0.0);
}

void Canvas::trace(std::span<const Point> points) {
  bool open = false;
  for (const Point& point : points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y)) {
      open = false;
      continue;
    }
    const Point at = clamped(point);
    open ? cairo_line_to(cairo_.get(), at.x, at.y) : cairo_move_to(cairo_.get(), at.x, at.y);
    open = true;
  }
}

void Canvas::fill(const Rect& rect, const Color& color, double alpha) {
  set_source(cairo_.get(), color, alpha);
  add_rectangle(cairo_.get(), rect);
  cairo_fill(cairo_.get());
}

void Canvas::frame(const Rect& rect, const Stroke& stroke) {
  set_stroke(stroke);
  add_rectangle(cairo_.get(), rect);
  cairo_stroke(cairo_.get());
}

void Canvas::line(Point from, Point to, const Stroke& stroke) {
  polyline(std::array{from, to}, stroke);
}

void Canvas::polyline(std::span<const Point> points, const Stroke& stroke) {
  set_stroke(stroke);
  trace(points);
  cairo_stroke(cairo_.get());
}

void Canvas::polygon(std::span<const Point> points, const Color& color, double alpha) {
  set_source(cairo_.get(), color, alpha);
  trace(points);
  cairo_fill(cairo_.get());
}

void Canvas::disc(Point center, double radius, const Color& color, double alpha) {
  set_source(cairo_.get(), color, alpha);
  add_circle(cairo_.get(), clamped(center), radius);
  cairo_fill(cairo_.get());
}

void Canvas::ring(Point center, double radius, const Stroke& stroke) {
  set_stroke(stroke);
  add_circle(cairo_.get(), clamped(center), radius);
  cairo_stroke(cairo_.get());
}

void Canvas::text(Point at, std::string_view text, const TextStyle& style) {
  show_text(cairo_.get(), at, text, style);
}

void Canvas::image(const Rect& rect, const Pixels& pixels) {
  if (pixels.width <= 0 || pixels.height <= 0) return;
  const std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> source(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(pixels.width),
                                 static_cast<int>(pixels.height)),
      cairo_surface_destroy);
  require_success(cairo_surface_status(source.get()));
  unsigned char* data = cairo_image_surface_get_data(source.get());
  const auto stride = static_cast<size_t>(cairo_image_surface_get_stride(source.get()));
  const auto row_pixels = static_cast<size_t>(pixels.width);
  for (size_t row = 0; row < static_cast<size_t>(pixels.height); ++row) {
    std::memcpy(data + row * stride, pixels.rgb.data() + row * row_pixels, 4 * row_pixels);
  }
  cairo_surface_mark_dirty(source.get());
  const Clip clip(*this, rect);
  cairo_translate(cairo_.get(), rect.x, rect.y);
  cairo_scale(cairo_.get(), rect.width / static_cast<double>(pixels.width),
              rect.height / static_cast<double>(pixels.height));
  cairo_set_source_surface(cairo_.get(), source.get(), 0.0, 0.0);
  cairo_pattern_set_filter(cairo_get_source(cairo_.get()), CAIRO_FILTER_NEAREST);
  cairo_paint(cairo_.get());
}

Canvas::Clip::Clip(Canvas& canvas, const Rect& rect) : cairo_(canvas.cairo_.get()) {
  cairo_save(cairo_);
  add_rectangle(cairo_, rect);
  cairo_clip(cairo_);
}

Canvas::Clip::~Clip() { cairo_restore(cairo_); }

void Canvas::write_png(const std::filesystem::path& path) const {
  require_success(cairo_status(cairo_.get()));
  cairo_surface_flush(surface_.get());
  require_success(cairo_surface_status(surface_.get()));
  write_png_file(surface_.get(), path);
}

}  // namespace contraflow::plot
