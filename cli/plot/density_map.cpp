#include "cli/plot/density_map.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "cli/plot/stats.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotDensityMap = "plot.density_map";
constexpr size_t kMostPanels = 4;
constexpr double kSingleSide = 430.0;
constexpr double kSharedSide = 300.0;
constexpr double kMapGap = 26.0;
constexpr double kMapBarGap = 18.0;

void check_map(const DensityMap& map) {
  if (map.panels.empty() || map.panels.size() > kMostPanels) {
    fail<DomainError>(kPlotDensityMap, "panels", "1 to 4", std::to_string(map.panels.size()),
                      "Draw several pictures instead");
  }
  for (const DensityPanel& panel : map.panels) {
    if (panel.log_density) check_grid(kPlotDensityMap, "log_density", *panel.log_density);
    check_points(kPlotDensityMap, "points", panel.points);
  }
}

Range axis_range(const DensityMap& map, int axis) {
  const std::optional<Range>& given = axis == 0 ? map.x : map.y;
  if (given) return usable_range(*given);
  for (const DensityPanel& panel : map.panels) {
    if (panel.log_density) return axis == 0 ? panel.log_density->x : panel.log_density->y;
  }
  std::optional<Range> all;
  for (const DensityPanel& panel : map.panels) {
    const std::optional<Range> range = points_range(panel.points, axis, 0.002);
    if (!range) continue;
    all = all ? Range{std::min(all->lo, range->lo), std::max(all->hi, range->hi)} : *range;
  }
  if (all) return *all;
  fail<DomainError>(kPlotDensityMap, "panels", "a grid or at least one finite point", "neither",
                    "Pass something to draw, or set the x and y ranges");
}

/// Grid in the unit of the picture, and whether it may be interpolated.
struct Shown {
  Grid grid;
  bool smooth = false;
};

std::optional<Shown> shown_grid(const DensityMap& map, const DensityPanel& panel, Range x,
                                Range y) {
  std::optional<Shown> shown;
  if (panel.log_density) {
    shown = Shown{*panel.log_density, true};
  } else if (panel.style == PointStyle::kHistogram && !panel.points.empty()) {
    shown = Shown{counted(panel.points, x, y), false};
  }
  if (shown && map.scale == DensityScale::kDensity) {
    for (double& value : shown->grid.values) value = std::exp(value);
  }
  return shown;
}

/// Maximum, or a high quantile where a few cells rise far above all others.
double robust_top(const std::vector<double>& sorted, bool logarithmic) {
  const double top = sorted.back();
  const double high = quantile(sorted, 0.999);
  const bool spiky = logarithmic ? top > high + std::log(2.0) : top > 2.0 * high;
  return spiky && (logarithmic || high > 0.0) ? high : top;
}

ColorScale make_scale(const DensityMap& map, const std::vector<std::optional<Shown>>& shown) {
  // Counts are noisy: they set the scale only where nothing else does.
  const bool any_smooth =
      std::any_of(shown.begin(), shown.end(), [](const auto& s) { return s && s->smooth; });
  std::vector<double> values;
  bool any_lowest = false;
  for (const auto& s : shown) {
    if (!s || s->smooth != any_smooth) continue;
    for (const double value : s->grid.values) {
      any_lowest = any_lowest || value == -std::numeric_limits<double>::infinity();
      if (std::isfinite(value)) values.push_back(value);
    }
  }
  std::sort(values.begin(), values.end());
  ColorScale scale;
  const bool logarithmic = map.scale == DensityScale::kNats;
  if (!values.empty()) scale.range.hi = robust_top(values, logarithmic);
  if (map.top && std::isfinite(*map.top)) scale.range.hi = *map.top;
  scale.range.lo = 0.0;
  if (logarithmic) {
    const double floor = scale.range.hi - std::max(map.depth, 1e-6);
    scale.range.lo = values.empty() || any_lowest ? floor : std::max(floor, values.front());
  } else if (!(scale.range.hi > 0.0)) {
    scale.range.hi = 1.0;
  }
  scale.range = usable_range(scale.range);
  if (!values.empty()) {
    const double slack = 1e-9 * scale.range.width();
    scale.cut_above = values.back() > scale.range.hi + slack;
    scale.cut_below = any_lowest || values.front() < scale.range.lo - slack;
  }
  return scale;
}

/// Left sides of the panels and of the colour bar, which stands beside the last panel that has its
/// colours; what it takes is `bar_space`.
struct MapPlaces {
  std::vector<double> panels = {};
  std::optional<double> bar = {};
  double right = 0.0;
};

MapPlaces places_of(const std::vector<std::optional<Shown>>& shown, double left, double width,
                    double bar_space) {
  size_t last = shown.size();
  for (size_t i = 0; i < shown.size(); ++i) last = shown[i] ? i : last;
  MapPlaces places{.panels = {}, .bar = {}, .right = left - kMapGap};
  for (size_t i = 0; i < shown.size(); ++i) {
    places.panels.push_back(places.right + kMapGap);
    places.right = places.panels.back() + width;
    if (i != last) continue;
    places.bar = places.right + kMapBarGap;
    places.right += bar_space;
  }
  return places;
}

void draw_panel(Canvas& canvas, const Panel& axes, const DensityPanel& panel,
                const std::optional<Shown>& shown, const ColorScale& scale) {
  axes.draw_ground(canvas);
  if (shown) {
    draw_heat(canvas, axes, shown->grid, scale, shown->smooth);
  } else {
    axes.draw_grid(canvas);
  }
  if (panel.style == PointStyle::kHistogram && !panel.log_density) return;
  draw_points(canvas, axes, panel.points,
              shown ? DotStyle{theme::kInk, true} : DotStyle{series_color(0), false});
}

}  // namespace

void draw_density_map(const DensityMap& map, const std::filesystem::path& path) {
  check_map(map);
  const Range x = axis_range(map, 0);
  const Range y = axis_range(map, 1);
  std::vector<std::optional<Shown>> shown;
  for (const DensityPanel& panel : map.panels) shown.push_back(shown_grid(map, panel, x, y));
  const ColorScale scale = make_scale(map, shown);
  const char* unit = map.scale == DensityScale::kNats ? "log density (nats)" : "density";
  const Point size = panel_size(x, y, map.panels.size() == 1 ? kSingleSide : kSharedSide);
  const double left = theme::kMargin + left_space(y, size.y, map.y_label);
  const MapPlaces at =
      places_of(shown, left, size.x, kMapBarGap + color_bar_space(scale, size.y, unit));
  const bool titled = std::any_of(map.panels.begin(), map.panels.end(), [](const auto& panel) {
    return !panel.title.empty() || !panel.note.empty();
  });
  const double top = heading_bottom(map.title, map.subtitle) + (titled ? kPanelTitleSpace : 0.0);
  Canvas canvas(at.right + theme::kMargin,
                top + size.y + bottom_space(x, size.x, map.x_label) + theme::kMargin);
  draw_heading(canvas, map.title, map.subtitle);
  for (size_t i = 0; i < map.panels.size(); ++i) {
    const Panel axes({at.panels[i], top, size.x, size.y}, x, y);
    draw_panel(canvas, axes, map.panels[i], shown[i], scale);
    axes.draw_axes(canvas, map.x_label, map.y_label, AxisDetail::kTexts,
                   i == 0 ? AxisDetail::kTexts : AxisDetail::kMarks);
    axes.draw_title(canvas, map.panels[i].title, map.panels[i].note);
  }
  if (at.bar) draw_color_bar(canvas, {*at.bar, top, kColorBarWidth, size.y}, scale, unit);
  canvas.write_png(path);
}

}  // namespace contraflow::plot
