#include "cli/plot/heat.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr double kTipHeight = 9.0;
constexpr double kBarTickLength = 4.0;
constexpr double kBarTickGap = 5.0;
constexpr double kBarLabelGap = 10.0;
constexpr Stroke kBarMark{.color = theme::kFrame, .width = 1.0};

double cell_center(const Range& range, int64_t cells, int64_t index) {
  return range.lo + (static_cast<double>(index) + 0.5) * range.width() / static_cast<double>(cells);
}

/// Place of a coordinate between the centres of cells.
struct Between {
  int64_t left = 0;
  int64_t right = 0;
  int64_t nearest = 0;
  double weight = 0.0;  ///< Of `right`.
};

Between locate(double value, const Range& range, int64_t cells) {
  const double position = (value - range.lo) / range.width() * static_cast<double>(cells) - 0.5;
  const double inside = std::clamp(position, 0.0, static_cast<double>(cells - 1));
  Between at;
  at.left = static_cast<int64_t>(inside);
  at.right = std::min(at.left + 1, cells - 1);
  at.weight = inside - static_cast<double>(at.left);
  at.nearest = at.weight < 0.5 ? at.left : at.right;
  return at;
}

class Sampler {
 public:
  Sampler(const Grid& grid, const Range& clamp, bool smooth)
      : grid_(grid), clamp_(clamp), smooth_(smooth) {}

  double operator()(const Between& col, const Between& row) const {
    const double nearest = value(row.nearest, col.nearest);
    if (!smooth_ || std::isnan(nearest)) return nearest;
    const double low = std::lerp(value(row.left, col.left), value(row.left, col.right), col.weight);
    const double high =
        std::lerp(value(row.right, col.left), value(row.right, col.right), col.weight);
    const double blended = std::lerp(low, high, row.weight);
    // A neighbour without a value must not spread into this cell.
    return std::isnan(blended) ? nearest : blended;
  }

 private:
  /// Clamping first keeps -inf (density zero) from swallowing its neighbours.
  double value(int64_t row, int64_t col) const {
    const double raw = grid_.values[static_cast<size_t>(row * grid_.cols + col)];
    return std::isnan(raw) ? raw : std::clamp(raw, clamp_.lo, clamp_.hi);
  }

  const Grid& grid_;
  Range clamp_;
  bool smooth_;
};

std::vector<Between> locate_pixels(const Range& view, const Range& range, int64_t cells,
                                   int64_t pixels, bool downwards) {
  std::vector<Between> places;
  for (int64_t i = 0; i < pixels; ++i) {
    const int64_t from_low = downwards ? pixels - 1 - i : i;
    places.push_back(locate(cell_center(view, pixels, from_low), range, cells));
  }
  return places;
}

Ticks bar_ticks(const ColorScale& scale, double height) {
  return scale.tick_step ? ticks_every(scale.range, *scale.tick_step)
                         : nice_ticks(scale.range, vertical_tick_count(height));
}

/// Colours and outline of the bar with its tips; returns the part between the tips.
Rect draw_ramp(Canvas& canvas, const Rect& bar, const ColorScale& scale) {
  Rect body = bar;
  body.y += scale.cut_above ? kTipHeight : 0.0;
  body.height -= (scale.cut_above ? kTipHeight : 0.0) + (scale.cut_below ? kTipHeight : 0.0);
  Pixels ramp{.width = 1, .height = 512, .rgb = {}};
  for (int64_t i = 0; i < ramp.height; ++i) {
    const double t = 1.0 - static_cast<double>(i) / static_cast<double>(ramp.height - 1);
    ramp.rgb.push_back(pack_rgb(scale.colors(t)));
  }
  canvas.image(body, ramp);
  const double middle = body.x + 0.5 * body.width;
  const std::array<Point, 3> top{Point{body.x, body.y},
                                 Point{middle, scale.cut_above ? bar.y : body.y},
                                 Point{body.right(), body.y}};
  const std::array<Point, 3> bottom{Point{body.right(), body.bottom()},
                                    Point{middle, scale.cut_below ? bar.bottom() : body.bottom()},
                                    Point{body.x, body.bottom()}};
  canvas.polygon(top, scale.colors(1.0));
  canvas.polygon(bottom, scale.colors(0.0));
  canvas.polyline(std::array{top[0], top[1], top[2], bottom[0], bottom[1], bottom[2], top[0]},
                  kBarMark);
  return body;
}

}  // namespace

double Grid::center_x(int64_t col) const { return cell_center(x, cols, col); }
double Grid::center_y(int64_t row) const { return cell_center(y, rows, row); }

void check_grid(std::string_view where, std::string_view name, const Grid& grid) {
  if (grid.rows < 1 || grid.cols < 1 ||
      grid.values.size() / static_cast<size_t>(grid.cols) != static_cast<size_t>(grid.rows) ||
      grid.values.size() % static_cast<size_t>(grid.cols) != 0) {
    fail<DomainError>(where, name, "rows x cols values, both at least 1",
                      std::to_string(grid.values.size()) + " values for " +
                          std::to_string(grid.rows) + " x " + std::to_string(grid.cols) + " cells",
                      "Pass one value per cell, row after row");
  }
  for (const Range& range : {grid.x, grid.y}) {
    if (std::isfinite(range.width()) && range.width() > 0.0) continue;
    fail<DomainError>(where, name, "finite ranges with lo < hi",
                      "[" + std::to_string(range.lo) + ", " + std::to_string(range.hi) + "]",
                      "Set the x and y ranges that the grid covers");
  }
}

Color ColorScale::color(double value) const {
  if (std::isnan(value)) return theme::kMissing;
  return colors((std::clamp(value, range.lo, range.hi) - range.lo) / range.width());
}

void draw_heat(Canvas& canvas, const Panel& panel, const Grid& grid, const ColorScale& scale,
               bool smooth) {
  // Only the part of the panel that the grid covers, one colour per device pixel.
  const Range x{std::max(grid.x.lo, panel.x_range().lo), std::min(grid.x.hi, panel.x_range().hi)};
  const Range y{std::max(grid.y.lo, panel.y_range().lo), std::min(grid.y.hi, panel.y_range().hi)};
  if (x.width() <= 0.0 || y.width() <= 0.0) return;
  const Rect covered{panel.at_x(x.lo), panel.at_y(y.hi), panel.at_x(x.hi) - panel.at_x(x.lo),
                     panel.at_y(y.lo) - panel.at_y(y.hi)};
  Pixels pixels;
  pixels.width = std::max(1L, std::lround(covered.width * Canvas::kPixelsPerPoint));
  pixels.height = std::max(1L, std::lround(covered.height * Canvas::kPixelsPerPoint));
  pixels.rgb.reserve(static_cast<size_t>(pixels.width * pixels.height));
  const auto columns = locate_pixels(x, grid.x, grid.cols, pixels.width, false);
  const Sampler sample(grid, scale.range, smooth);
  for (const Between& row : locate_pixels(y, grid.y, grid.rows, pixels.height, true)) {
    for (const Between& col : columns) {
      pixels.rgb.push_back(pack_rgb(scale.color(sample(col, row))));
    }
  }
  canvas.image(covered, pixels);
}

void draw_color_bar(Canvas& canvas, const Rect& bar, const ColorScale& scale,
                    std::string_view label) {
  const Rect body = draw_ramp(canvas, bar, scale);
  const Panel axis(body, {}, scale.range);
  const Ticks ticks = bar_ticks(scale, bar.height);
  for (size_t i = 0; i < ticks.values.size(); ++i) {
    const double y = axis.at_y(ticks.values[i]);
    canvas.line({bar.right(), y}, {bar.right() + kBarTickLength, y}, kBarMark);
    canvas.text({bar.right() + kBarTickLength + kBarTickGap, y}, ticks.labels[i], tick_style());
  }
  TextStyle style = label_style();
  style.upwards = true;
  style.horizontal = Align::kMiddle;
  style.vertical = Align::kEnd;
  canvas.text({bar.x + color_bar_space(scale, bar.height, label), bar.y + 0.5 * bar.height},
              ellipsized(label, style, bar.height), style);
}

double color_bar_space(const ColorScale& scale, double height, std::string_view label) {
  const double texts = widest(bar_ticks(scale, height).labels, tick_style());
  const double side = label.empty() ? 0.0 : kBarLabelGap + 0.73 * theme::kLabelSize;
  return std::ceil(kColorBarWidth + kBarTickLength + kBarTickGap + texts + side);
}

}  // namespace contraflow::plot
