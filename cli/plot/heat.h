#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cli/plot/panel.h"

namespace contraflow::plot {

/// Values on the cells of a regular grid over a rectangle.
struct Grid {
  int64_t rows = 0;  ///< Cells along y.
  int64_t cols = 0;  ///< Cells along x.
  Range x = {};      ///< Outer edges of the first and last column.
  Range y = {};      ///< Outer edges of the first and last row.
  /// rows * cols values, row after row; row 0 is the lowest y. NaN means "no value".
  std::vector<double> values = {};

  double center_x(int64_t col) const;
  double center_y(int64_t row) const;
};

/// Throws DomainError unless the grid has cells, `values` matches, and the ranges have a width.
void check_grid(std::string_view where, std::string_view name, const Grid& grid);

/// Map from values to colours.
struct ColorScale {
  Range range = {};
  bool cut_above = false;  ///< Some values lie above range.hi: the bar gets a tip.
  bool cut_below = false;
  const ColorMap& colors = density_colors();
  std::optional<double> tick_step = {};  ///< By default round numbers.
  Color color(double value) const;       ///< theme::kMissing for NaN.
};

/// Paints the grid on the panel; `smooth` interpolates between the centres of cells.
void draw_heat(Canvas& canvas, const Panel& panel, const Grid& grid, const ColorScale& scale,
               bool smooth);

/// Vertical bar with ticks on its right and a label reading upwards.
void draw_color_bar(Canvas& canvas, const Rect& bar, const ColorScale& scale,
                    std::string_view label);
inline constexpr double kColorBarWidth = 14.0;
/// Width of bar, ticks and label together.
double color_bar_space(const ColorScale& scale, double height, std::string_view label);

}  // namespace contraflow::plot
