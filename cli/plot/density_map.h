#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/plot/heat.h"
#include "cli/plot/points.h"

namespace contraflow::plot {

enum class DensityScale {
  kDensity,  ///< exp(log density), from 0 upwards.
  kNats,     ///< The log density, down to `DensityMap::depth` below its maximum.
};

enum class PointStyle {
  kDots,       ///< Translucent dots, over the heat map if the panel has one.
  kHistogram,  ///< Counts on cells, on the colour scale of the figure.
};

/// One picture of a density, of samples, or of both.
struct DensityPanel {
  std::string title = {};
  std::string note = {};                 ///< Small, right of the title, e.g. "4,000 points".
  std::optional<Grid> log_density = {};  ///< In nats; -inf is density zero, NaN is drawn grey.
  PointList points = {};
  PointStyle style = PointStyle::kDots;
};

/// One to four panels side by side with the same axes and one colour scale.
struct DensityMap {
  std::string title = {};
  std::string subtitle = {};
  std::string x_label = "x₁";
  std::string y_label = "x₂";
  std::vector<DensityPanel> panels = {};
  DensityScale scale = DensityScale::kDensity;
  /// Nats below the maximum that the colours of DensityScale::kNats reach.
  double depth = 10.0;
  /// What the axes show; by default the first grid, else where nearly all points are.
  std::optional<Range> x = {};
  std::optional<Range> y = {};
  /// Upper end of the colours, in the unit of `scale`; by default the largest value of the grids,
  /// or their .999 quantile if single spikes rise far above it (the bar then gets a tip).
  std::optional<double> top = {};
};

/// Throws     DomainError (no panel or more than four, a malformed grid or list, a panel that is
///            empty in every respect and no range given); IoError (the file).
void draw_density_map(const DensityMap& map, const std::filesystem::path& path);

}  // namespace contraflow::plot
