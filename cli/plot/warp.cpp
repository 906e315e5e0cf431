#include "cli/plot/warp.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <string>

#include "cli/plot/stats.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotWarp = "plot.warp";
constexpr double kWarpSide = 390.0;
constexpr double kWarpGap = 30.0;
constexpr double kWarpBarGap = 18.0;
constexpr double kWarpLegendGap = 14.0;
constexpr const char* kBaseX = "z₁";
constexpr const char* kBaseY = "z₂";

std::string unit_of(const Warp& warp) {
  return warp.color == WarpColor::kRadius ? "distance from the middle, |z|"
                                          : "direction of z (degrees)";
}

void check_warp(const Warp& warp) {
  if (warp.grid.empty() && warp.contours.empty()) {
    fail<DomainError>(kPlotWarp, "grid", "at least one line", "none",
                      "Pass lines of the base space");
  }
  for (const auto* lines : {&warp.grid, &warp.contours}) {
    for (const WarpLine& line : *lines) {
      check_points(kPlotWarp, "base", line.base);
      if (line.base.size() == line.data.size()) continue;
      fail<DomainError>(kPlotWarp, "data", std::to_string(line.base.size()) + " values, as in base",
                        std::to_string(line.data.size()), "Map every point of the line");
    }
  }
  check_points(kPlotWarp, "data_points", warp.data_points);
}

PointList all_points(const Warp& warp, PointList WarpLine::*half) {
  PointList points;
  for (const auto* lines : {&warp.grid, &warp.contours}) {
    for (const WarpLine& line : *lines) {
      points.insert(points.end(), (line.*half).begin(), (line.*half).end());
    }
  }
  return points;
}

Range required_range(const std::optional<Range>& given, const PointList& points, int axis,
                     double tail) {
  if (given) return usable_range(*given);
  if (const auto range = points_range(points, axis, tail)) return *range;
  fail<DomainError>(kPlotWarp, "grid", "finite points", "none",
                    "Check the flow: its inverse gave no finite value");
}

/// A square that shows both axes at one scale.
void make_square(Range& x, Range& y) {
  const double half = 0.5 * std::max(x.width(), y.width());
  const double middle_x = 0.5 * (x.lo + x.hi);
  const double middle_y = 0.5 * (y.lo + y.hi);
  x = {middle_x - half, middle_x + half};
  y = {middle_y - half, middle_y + half};
}

double color_value(WarpColor kind, double z0, double z1) {
  return kind == WarpColor::kRadius ? std::hypot(z0, z1)
                                    : std::atan2(z1, z0) * 180.0 / std::numbers::pi;
}

ColorScale make_scale(const Warp& warp) {
  if (warp.color == WarpColor::kAngle) {
    return {.range = {-180.0, 180.0}, .colors = angle_colors(), .tick_step = 90.0};
  }
  double largest = 0.0;
  const PointList base = all_points(warp, &WarpLine::base);
  for (size_t i = 0; i + 1 < base.size(); i += 2) {
    const double radius = std::hypot(base[i], base[i + 1]);
    if (std::isfinite(radius)) largest = std::max(largest, radius);
  }
  return {.range = usable_range({0.0, largest}), .colors = line_colors(), .tick_step = {}};
}

std::vector<Point> on_panel(const Panel& panel, const PointList& points) {
  std::vector<Point> placed;
  for (size_t i = 0; i + 1 < points.size(); i += 2) {
    placed.push_back(panel.at(points[i], points[i + 1]));
  }
  return placed;
}

/// Consecutive segments of nearly one colour are stroked together: no seams, and far fewer calls.
void draw_colored(Canvas& canvas, const std::vector<Point>& placed, const PointList& base,
                  WarpColor kind, const ColorScale& scale) {
  constexpr double kShades = 48.0;
  const auto shade = [&](size_t segment) {
    const double z0 = 0.5 * (base[2 * segment] + base[2 * segment + 2]);
    const double z1 = 0.5 * (base[2 * segment + 1] + base[2 * segment + 3]);
    const double t = (color_value(kind, z0, z1) - scale.range.lo) / scale.range.width();
    return std::isfinite(t) ? std::round(t * kShades) / kShades : 0.0;
  };
  size_t begin = 0;
  while (begin + 1 < placed.size()) {
    const double t = shade(begin);
    size_t end = begin + 1;
    while (end + 1 < placed.size() && shade(end) == t) ++end;
    canvas.polyline(std::span(placed).subspan(begin, end - begin + 1),
                    {.color = scale.colors(t), .width = 1.2});
    begin = end;
  }
}

void draw_half(Canvas& canvas, const Panel& panel, const Warp& warp, PointList WarpLine::*half,
               const ColorScale& scale) {
  const Canvas::Clip clip(canvas, panel.area());
  for (const WarpLine& line : warp.grid) {
    draw_colored(canvas, on_panel(panel, line.*half), line.base, warp.color, scale);
  }
  for (const WarpLine& line : warp.contours) {
    canvas.polyline(on_panel(panel, line.*half), {.color = theme::kInk, .width = 1.7});
  }
}

std::vector<LegendEntry> legend_of(const Warp& warp) {
  std::vector<LegendEntry> entries;
  if (!warp.contours.empty()) entries.push_back({warp.contour_text, theme::kInk});
  if (!warp.data_points.empty()) entries.push_back({"data", theme::kFrame, Swatch::kDot});
  return entries;
}

struct Views {
  Range base_x, base_y, data_x, data_y;
};

Views choose_views(const Warp& warp) {
  // The image of far lines runs far out: all but a few points set the view.
  constexpr double kDataTail = 0.004;
  constexpr double kMostUnequal = 3.0;
  const PointList base = all_points(warp, &WarpLine::base);
  const PointList data = all_points(warp, &WarpLine::data);
  Views views{required_range({}, base, 0, 0.0), required_range({}, base, 1, 0.0),
              required_range(warp.x, data, 0, kDataTail),
              required_range(warp.y, data, 1, kDataTail)};
  make_square(views.base_x, views.base_y);
  const double ratio = views.data_x.width() / views.data_y.width();
  const bool similar = ratio < kMostUnequal && ratio > 1.0 / kMostUnequal;
  if (!warp.x && !warp.y && similar) make_square(views.data_x, views.data_y);
  return views;
}

/// Places of everything in the figure, in points.
struct Layout {
  double base_left, data_left, bar_left, top, legend_top, legend_width, width, height;
};

Layout choose_layout(const Warp& warp, const Views& views, const ColorScale& scale,
                     const std::vector<LegendEntry>& legend) {
  Layout at{};
  at.base_left = theme::kMargin + left_space(views.base_y, kWarpSide, kBaseY);
  at.data_left =
      at.base_left + kWarpSide + kWarpGap + left_space(views.data_y, kWarpSide, warp.y_label);
  at.bar_left = at.data_left + kWarpSide + kWarpBarGap;
  at.top = heading_bottom(warp.title, warp.subtitle) + kPanelTitleSpace;
  at.legend_top =
      at.top + kWarpSide + bottom_space(views.data_x, kWarpSide, warp.x_label) + kWarpLegendGap;
  at.legend_width = at.data_left + kWarpSide - at.base_left;
  at.width = at.bar_left + color_bar_space(scale, kWarpSide, unit_of(warp)) + theme::kMargin;
  at.height = at.legend_top - (legend.empty() ? kWarpLegendGap : 0.0) +
              legend_height(legend, at.legend_width) + theme::kMargin;
  return at;
}

}  // namespace

void draw_warp(const Warp& warp, const std::filesystem::path& path) {
  check_warp(warp);
  const Views views = choose_views(warp);
  const ColorScale scale = make_scale(warp);
  const std::vector<LegendEntry> legend = legend_of(warp);
  const Layout layout = choose_layout(warp, views, scale, legend);
  Canvas canvas(layout.width, layout.height);
  draw_heading(canvas, warp.title, warp.subtitle);

  const Panel base({layout.base_left, layout.top, kWarpSide, kWarpSide}, views.base_x,
                   views.base_y);
  base.draw_ground(canvas);
  draw_half(canvas, base, warp, &WarpLine::base, scale);
  base.draw_axes(canvas, kBaseX, kBaseY);
  base.draw_title(canvas, warp.base_title);

  const Panel data({layout.data_left, layout.top, kWarpSide, kWarpSide}, views.data_x,
                   views.data_y);
  data.draw_ground(canvas);
  draw_points(canvas, data, warp.data_points, {.color = mix(theme::kPanel, theme::kFrame, 0.75)});
  draw_half(canvas, data, warp, &WarpLine::data, scale);
  data.draw_axes(canvas, warp.x_label, warp.y_label);
  data.draw_title(canvas, warp.data_title);

  draw_color_bar(canvas, {layout.bar_left, layout.top, kColorBarWidth, kWarpSide}, scale,
                 unit_of(warp));
  draw_legend(canvas, {layout.base_left, layout.legend_top}, layout.legend_width, legend);
  canvas.write_png(path);
}

}  // namespace contraflow::plot
