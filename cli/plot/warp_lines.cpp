// Lines of the base space for draw_warp().
#include <algorithm>
#include <cmath>
#include <numbers>

#include "cli/plot/warp.h"

namespace contraflow::plot {

std::vector<PointList> disc_grid(double radius, double spacing, int64_t points) {
  std::vector<PointList> lines;
  points = std::max<int64_t>(2, points);
  const auto reach = static_cast<int64_t>(std::floor(radius / spacing + 1e-9));
  for (int axis = 0; axis < 2; ++axis) {
    for (int64_t k = -reach; k <= reach; ++k) {
      const double fixed = static_cast<double>(k) * spacing;
      const double end = std::sqrt(std::max(0.0, radius * radius - fixed * fixed));
      if (end < 1e-9 * radius) continue;
      PointList line;
      for (int64_t i = 0; i < points; ++i) {
        const double t = static_cast<double>(i) / static_cast<double>(points - 1);
        const double free = std::lerp(-end, end, t);
        line.push_back(axis == 0 ? fixed : free);
        line.push_back(axis == 0 ? free : fixed);
      }
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::vector<PointList> normal_contours(const std::vector<double>& radii, int64_t points) {
  std::vector<PointList> circles;
  points = std::max<int64_t>(2, points);
  for (const double radius : radii) {
    PointList circle;
    for (int64_t i = 0; i < points; ++i) {
      const double angle =
          2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(points - 1);
      circle.push_back(radius * std::cos(angle));
      circle.push_back(radius * std::sin(angle));
    }
    circles.push_back(std::move(circle));
  }
  return circles;
}

}  // namespace contraflow::plot
