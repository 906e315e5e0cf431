#include "cli/plot/pair_cells.h"

#include <algorithm>
#include <cmath>

namespace contraflow::plot {
namespace {

/// Number of the cell that holds a place, the number of cells if none does.
size_t cell_number(const std::vector<double>& edges, double place) {
  const size_t cells = edges.size() - 1;
  if (!(place >= edges.front() && place <= edges.back())) return cells;
  const auto above = std::upper_bound(edges.begin(), edges.end(), place);
  return std::min(static_cast<size_t>(above - edges.begin()) - 1, cells - 1);
}

/// Whole pixels: neighbouring cells then show no seams.
double on_pixel(double place) {
  return std::round(place * Canvas::kPixelsPerPoint) / Canvas::kPixelsPerPoint;
}

}  // namespace

double PairCells::highest() const {
  return density.empty() ? 0.0 : *std::max_element(density.begin(), density.end());
}

PairCells count_pairs(const PlacePairs& rows, std::vector<double> x_edges,
                      std::vector<double> y_edges) {
  PairCells cells{std::move(x_edges), std::move(y_edges), {}};
  const size_t columns = cells.x_edges.size() - 1;
  const size_t lines = cells.y_edges.size() - 1;
  cells.density.assign(columns * lines, 0.0);
  for (size_t i = 0; i < rows.x.size(); ++i) {
    const size_t column = cell_number(cells.x_edges, rows.x[i]);
    const size_t line = cell_number(cells.y_edges, rows.y[i]);
    if (column < columns && line < lines) cells.density[line * columns + column] += 1.0;
  }
  for (size_t line = 0; line < lines; ++line) {
    for (size_t column = 0; column < columns; ++column) {
      const double area = (cells.x_edges[column + 1] - cells.x_edges[column]) *
                          (cells.y_edges[line + 1] - cells.y_edges[line]);
      cells.density[line * columns + column] /= area * static_cast<double>(rows.x.size());
    }
  }
  return cells;
}

void draw_pair_cells(Canvas& canvas, const Panel& panel, const PairCells& cells, double top,
                     const Color& color) {
  constexpr double kFaintest = 0.12;
  const size_t columns = cells.x_edges.size() - 1;
  const Canvas::Clip clip(canvas, panel.area());
  for (size_t k = 0; k < cells.density.size(); ++k) {
    if (!(cells.density[k] > 0.0)) continue;
    const size_t column = k % columns;
    const size_t line = k / columns;
    const double left = on_pixel(panel.at_x(cells.x_edges[column]));
    const double right = on_pixel(panel.at_x(cells.x_edges[column + 1]));
    const double upper = on_pixel(panel.at_y(cells.y_edges[line + 1]));
    const double lower = on_pixel(panel.at_y(cells.y_edges[line]));
    const double share = std::min(1.0, std::sqrt(cells.density[k] / top));
    canvas.fill({left, upper, right - left, lower - upper},
                mix(theme::kPanel, color, std::lerp(kFaintest, 1.0, share)));
  }
}

}  // namespace contraflow::plot
