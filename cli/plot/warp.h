#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/plot/points.h"

namespace contraflow::plot {

/// One line of the base space and its image in the data space, point for point.
struct WarpLine {
  PointList base = {};
  PointList data = {};
};

enum class WarpColor {
  kRadius,  ///< |z|: how far a point is from the middle of the base density.
  kAngle,   ///< Direction of z, on a cyclic colour map.
};

/// Base space and data space side by side; colours follow the base coordinates into both.
struct Warp {
  std::string title = {};
  std::string subtitle = {};
  std::string base_title = "base space";
  std::string data_title = "data space";
  std::vector<WarpLine> grid = {};      ///< Thin coloured lines.
  std::vector<WarpLine> contours = {};  ///< Thick dark lines, e.g. from normal_contours().
  std::string contour_text = "1σ, 2σ and 3σ of the base";  ///< For the legend.
  PointList data_points = {};                              ///< Drawn faintly behind the data panel.
  WarpColor color = WarpColor::kRadius;
  std::optional<Range> x = {};  ///< What the data panel shows; by default nearly all of the image.
  std::optional<Range> y = {};
  std::string x_label = "x₁";  ///< Of the data panel.
  std::string y_label = "x₂";
};

/// Throws     DomainError (no lines; a line whose halves differ in length; no finite point);
///            IoError (the file).
void draw_warp(const Warp& warp, const std::filesystem::path& path);

/// Lines of a square grid with this spacing inside the disc |z| <= radius, `points` on each.
std::vector<PointList> disc_grid(double radius, double spacing, int64_t points);
/// Circles around the origin, `points` on each, closed.
std::vector<PointList> normal_contours(const std::vector<double>& radii, int64_t points);

}  // namespace contraflow::plot
