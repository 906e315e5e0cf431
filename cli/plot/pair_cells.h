#pragma once

#include <span>
#include <vector>

#include "cli/plot/panel.h"

namespace contraflow::plot {

/// Rows of two columns as places on their axes.
struct PlacePairs {
  std::vector<double> x = {};
  std::vector<double> y = {};
};

/// Shares of the rows in cells between edges, row after row, the lowest y first, over the cells'
/// areas; rows outside count in the total.
struct PairCells {
  std::vector<double> x_edges = {};
  std::vector<double> y_edges = {};
  std::vector<double> density = {};
  double highest() const;
};
PairCells count_pairs(const PlacePairs& rows, std::vector<double> x_edges,
                      std::vector<double> y_edges);

/// Cells with rows, in shades from faint to dark as the root of their density over `top`.
void draw_pair_cells(Canvas& canvas, const Panel& panel, const PairCells& cells, double top,
                     const Color& color);

}  // namespace contraflow::plot
