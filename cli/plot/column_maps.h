#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/plot/axis.h"

namespace contraflow::plot {

/// The curve that takes the values of one column to normal scores.
struct ColumnCurve {
  std::string name = {};
  std::string note = {};               ///< Right of the name, e.g. "64 knots".
  std::vector<double> value = {};      ///< In increasing order.
  std::vector<double> score = {};      ///< As many.
  std::vector<double> knots = {};      ///< Values.
  std::vector<double> quantiles = {};  ///< Values of the data, marked on the axis; may be empty.
  AxisScale scale = {};
};

/// One small panel for each curve.
struct ColumnMaps {
  std::string title = {};
  std::string subtitle = {};
  std::string quantile_text = {};  ///< For the legend, e.g. "data: 1, 10, 50, 90, 99 %".
  std::vector<ColumnCurve> curves = {};
};
inline constexpr size_t kMostCurves = 12;

/// Throws     DomainError (no curve, more than kMostCurves; lengths that differ; fewer than two
///            finite points); IoError (the file).
void draw_column_maps(const ColumnMaps& maps, const std::filesystem::path& path);

}  // namespace contraflow::plot
