#pragma once

#include <span>
#include <vector>

#include "cli/plot/axis.h"
#include "cli/plot/marginals.h"
#include "cli/plot/panel.h"

namespace contraflow::plot {

/// A column as the pictures of tables show it.
struct ColumnView {
  std::vector<double> data;   ///< Places of the finite values, in increasing order.
  std::vector<double> model;  ///< The same of the samples.
  std::vector<double> edges;  ///< Places between the cells; those of steps are around their values.
  Axis axis;

  /// Values of the data, or of the samples where there are no data, lie beyond the axis.
  bool is_cut() const;
};

/// Throws     DomainError (neither data nor samples with a finite value; data without one).
ColumnView view_of(const MarginalColumn& column);

/// Share of the values in each cell over its width; values outside are not drawn but count.
std::vector<double> cell_density(std::span<const double> sorted, std::span<const double> edges);
/// The same cells, neighbours joined until there are at most `most`.
std::vector<double> joined_cells(std::span<const double> edges, size_t most);
/// Outline of a histogram as a step function from and to zero.
std::vector<Point> step_outline(const Panel& panel, std::span<const double> edges,
                                std::span<const double> density);

/// For the legend, where a view is cut.
constexpr const char* kCutText = "axes leave out at most 0.25 % of the data at each end";

/// Colours of data and of samples in the pictures of tables.
Color data_color();
Color model_color();

}  // namespace contraflow::plot
