#include "cli/plot/column_maps.h"

#include <algorithm>
#include <cmath>

#include "cli/plot/column_view.h"
#include "cli/plot/panel.h"
#include "cli/plot/points.h"
#include "cli/plot/small_panels.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotMaps = "plot.column_maps";
constexpr const char* kScoreLabel = "normal score";
constexpr Range kScores{-3.6, 3.6};
constexpr double kKnotLength = 7.0;
constexpr double kQuantileLength = 9.0;

void check_maps(const ColumnMaps& maps) {
  if (maps.curves.empty() || maps.curves.size() > kMostCurves) {
    fail<DomainError>(kPlotMaps, "curves", "1 to " + std::to_string(kMostCurves),
                      std::to_string(maps.curves.size()), "Choose some of the columns");
  }
  for (const ColumnCurve& curve : maps.curves) {
    if (curve.value.size() == curve.score.size() && curve.value.size() >= 2) continue;
    fail<DomainError>(kPlotMaps, curve.name, "two or more values with as many scores",
                      std::to_string(curve.value.size()) + " values, " +
                          std::to_string(curve.score.size()) + " scores",
                      "Pass one score per value");
  }
}

std::vector<Point> places_of(const ColumnCurve& curve) {
  std::vector<Point> places;
  for (size_t i = 0; i < curve.value.size(); ++i) {
    places.push_back({curve.scale.place(curve.value[i]), curve.score[i]});
  }
  return places;
}

Axis axis_of(const ColumnCurve& curve) {
  PointList points;
  for (const Point& place : places_of(curve)) points.insert(points.end(), {place.x, place.y});
  const std::optional<Range> range = points_range(points, 0, 0.0);
  if (!range) {
    fail<DomainError>(kPlotMaps, curve.name, "finite values", "none",
                      "Check the flow: its inverse gave no finite value");
  }
  return {*range, curve.scale};
}

/// Score at a place, between the points of the curve; NaN outside of it.
double score_at(const std::vector<Point>& places, double x) {
  for (size_t i = 0; i + 1 < places.size(); ++i) {
    if (!(x >= places[i].x && x <= places[i + 1].x)) continue;
    const double width = places[i + 1].x - places[i].x;
    const double t = width > 0.0 ? (x - places[i].x) / width : 0.0;
    return std::lerp(places[i].y, places[i + 1].y, t);
  }
  return std::nan("");
}

void draw_curve(Canvas& canvas, const Rect& area, const ColumnCurve& curve, const Axis& axis,
                bool first) {
  const Panel panel(area, axis, Range(kScores));
  panel.draw_ground(canvas);
  panel.draw_grid(canvas);
  const std::vector<Point> places = places_of(curve);
  {
    const Canvas::Clip clip(canvas, area);
    for (const double value : curve.quantiles) {
      const double x = panel.at_x(curve.scale.place(value));
      canvas.line({x, area.bottom()}, {x, area.bottom() - kQuantileLength},
                  {.color = series_color(1), .width = 1.6});
    }
    std::vector<Point> line;
    for (const Point& place : places) line.push_back(panel.at(place.x, place.y));
    canvas.polyline(line, {.color = series_color(0), .width = 2.0});
    for (const double value : curve.knots) {
      const double x = curve.scale.place(value);
      const Point at = panel.at(x, score_at(places, x));
      if (!std::isfinite(at.x) || !std::isfinite(at.y)) continue;
      canvas.line({at.x, at.y - 0.5 * kKnotLength}, {at.x, at.y + 0.5 * kKnotLength},
                  {.color = theme::kInk, .width = 1.0});
    }
  }
  panel.draw_axes(canvas, "", kScoreLabel, AxisDetail::kTexts,
                  first ? AxisDetail::kTexts : AxisDetail::kMarks);
  panel.draw_title(canvas, curve.name, curve.note);
}

std::vector<LegendEntry> legend_of(const ColumnMaps& maps) {
  std::vector<LegendEntry> entries{{"map from the column to normal scores", series_color(0)}};
  const auto any = [&](std::vector<double> ColumnCurve::*values) {
    return std::any_of(maps.curves.begin(), maps.curves.end(),
                       [&](const ColumnCurve& curve) { return !(curve.*values).empty(); });
  };
  if (any(&ColumnCurve::knots)) {
    entries.push_back({"short marks on it: its knots", theme::kInk, Swatch::kNone});
  }
  if (any(&ColumnCurve::quantiles)) entries.push_back({maps.quantile_text, series_color(1)});
  return entries;
}

}  // namespace

void draw_column_maps(const ColumnMaps& maps, const std::filesystem::path& path) {
  check_maps(maps);
  std::vector<Axis> axes;
  for (const ColumnCurve& curve : maps.curves) axes.push_back(axis_of(curve));
  const std::vector<LegendEntry> legend = legend_of(maps);
  SmallPanels panels(axes.size(), left_space(Range(kScores), 100.0, kScoreLabel));
  for (const Axis& axis : axes) panels.make_room(bottom_space(axis, panels.width(), ""));
  panels.put_below(heading_bottom(maps.title, maps.subtitle), legend);
  Canvas canvas(panels.canvas_width(), panels.canvas_height());
  draw_heading(canvas, maps.title, maps.subtitle);
  panels.draw_legend_on(canvas);
  for (size_t k = 0; k < axes.size(); ++k) {
    draw_curve(canvas, panels.area(k), maps.curves[k], axes[k], panels.is_first_of_row(k));
  }
  canvas.write_png(path);
}

}  // namespace contraflow::plot
