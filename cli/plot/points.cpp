#include "cli/plot/points.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "cli/plot/stats.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {

void check_points(std::string_view where, std::string_view name, const PointList& points) {
  if (points.size() % 2 == 0) return;
  fail<DomainError>(where, name, "x and y of every point, an even number of values",
                    std::to_string(points.size()) + " values", "Pass points as x0 y0 x1 y1 ...");
}

void draw_points(Canvas& canvas, const Panel& panel, const PointList& points,
                 const DotStyle& style) {
  const size_t count = points.size() / 2;
  if (count == 0) return;
  const size_t stride = (count - 1) / static_cast<size_t>(kMostPoints) + 1;
  const double drawn = static_cast<double>(count / stride);
  // Chosen so that 100 points read as dots and 20,000 as shading.
  const double radius = style.scale * std::clamp(9.5 / std::pow(drawn, 0.25), 0.95, 2.6);
  const double alpha = std::clamp(38.0 / std::sqrt(drawn), 0.26, 0.85);
  const Canvas::Clip clip(canvas, panel.area());
  for (size_t i = 0; i < count; i += stride) {
    const Point at = panel.at(points[2 * i], points[2 * i + 1]);
    if (!std::isfinite(at.x) || !std::isfinite(at.y)) continue;
    if (style.rim) canvas.disc(at, radius + 0.7, {1.0, 1.0, 1.0}, 0.7 * alpha);
    canvas.disc(at, radius, style.color, alpha);
  }
}

std::optional<Range> points_range(const PointList& points, int axis, double tail) {
  std::vector<double> coordinates;
  coordinates.reserve(points.size() / 2);
  for (size_t i = static_cast<size_t>(axis); i < points.size(); i += 2) {
    coordinates.push_back(points[i]);
  }
  const std::vector<double> sorted = sorted_finite(coordinates);
  if (sorted.empty()) return std::nullopt;
  return padded({quantile(sorted, tail), quantile(sorted, 1.0 - tail)}, 0.05);
}

Grid counted(const PointList& points, Range x, Range y) {
  const double count = static_cast<double>(points.size() / 2);
  const auto side = static_cast<int64_t>(std::clamp(0.4 * std::sqrt(count), 12.0, 160.0));
  Grid grid{side, side, x, y, std::vector<double>(static_cast<size_t>(side * side), 0.0)};
  const auto cell = [side](double value, const Range& range) {
    return std::floor((value - range.lo) / range.width() * static_cast<double>(side));
  };
  for (size_t i = 0; i + 1 < points.size(); i += 2) {
    const double col = cell(points[i], x);
    const double row = cell(points[i + 1], y);
    const auto inside = [side](double k) { return k >= 0.0 && k < static_cast<double>(side); };
    if (!inside(col) || !inside(row)) continue;
    grid.values[static_cast<size_t>(row) * static_cast<size_t>(side) + static_cast<size_t>(col)] +=
        1.0;
  }
  const double area = x.width() * y.width() / static_cast<double>(side * side);
  for (double& value : grid.values) value = std::log(value / (count * area));
  return grid;
}

Point panel_size(Range x, Range y, double side) {
  constexpr double kLongest = 2.0;
  const double ratio = usable_range(x).width() / usable_range(y).width();
  if (ratio > kLongest || ratio < 1.0 / kLongest) return {side, side};
  return ratio >= 1.0 ? Point{side, std::round(side / ratio)}
                      : Point{std::round(side * ratio), side};
}

}  // namespace contraflow::plot
