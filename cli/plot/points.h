#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "cli/plot/heat.h"
#include "cli/plot/panel.h"

namespace contraflow::plot {

/// Points in the plane, interleaved x0 y0 x1 y1 ...; pairs that are not finite are not drawn.
using PointList = std::vector<double>;

/// Throws DomainError if the list has an odd length.
void check_points(std::string_view where, std::string_view name, const PointList& points);

struct DotStyle {
  Color color;
  bool rim = false;    ///< A light rim, for dots on grounds of any colour.
  double scale = 1.0;  ///< Of their size, below 1 for small panels.
};
/// Small translucent discs, the fainter the more there are. Of more than kMostPoints every n-th is
/// drawn: more would only be one colour.
void draw_points(Canvas& canvas, const Panel& panel, const PointList& points,
                 const DotStyle& style);
inline constexpr int64_t kMostPoints = 20000;

/// The interval along one axis (0 = x, 1 = y) that holds all but the outermost `tail` share of the
/// finite coordinates on either side, widened a little; nothing without finite ones.
std::optional<Range> points_range(const PointList& points, int axis, double tail);

/// Log-density, in nats, of the points counted on a square grid with cells for their number.
Grid counted(const PointList& points, Range x, Range y);

/// Width and height of a panel within `side` that shows both axes at one scale, or a square where
/// the ranges differ so much that this would leave a sliver.
Point panel_size(Range x, Range y, double side);

}  // namespace contraflow::plot
