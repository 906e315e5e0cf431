#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/plot/panel.h"

namespace contraflow::plot {

enum class CurveStyle {
  kNoisy,    ///< The values faintly, their smoothed course boldly; the legend names both.
  kMarkers,  ///< A marker at every value.
  kLine,     ///< Nothing but the line.
  kDashed,   ///< A dashed line, for the companion of another series.
  kTruth,    ///< Dashed in the colour of texts: what the other series should be.
};

/// Values over training steps, in any order of steps; values that are not finite leave gaps.
struct Series {
  std::string name = {};
  std::vector<double> step = {};
  std::vector<double> value = {};
  std::vector<double> error = {};  ///< Half width of a band around the values; empty = none.
  CurveStyle style = CurveStyle::kMarkers;
  /// Number of its colour; by default its place in the figure. Of no effect on kTruth.
  std::optional<size_t> color = {};
};

/// Horizontal line with its text in the right margin.
struct ReferenceLine {
  double value = 0.0;
  std::string label = {};
};

/// Point that deserves attention, e.g. the best validation.
struct MarkedPoint {
  double step = 0.0;
  double value = 0.0;
  std::string label = {};  ///< For the legend, e.g. "best 3.512 at step 4,500".
};

/// Curves of a training run over its steps.
struct Curves {
  std::string title = {};
  std::string subtitle = {};
  std::string x_label = "step";
  std::string y_label = "loss (nats)";
  std::vector<Series> series = {};
  std::vector<ReferenceLine> references = {};
  std::optional<MarkedPoint> best = {};
  std::string band_text = "band: ± one standard error";  ///< For the legend, where there is a band.
  std::optional<Series> learning_rate = {};              ///< A small panel of its own below.
  /// By default what the curves do once the first tenth of the steps is over, without outliers.
  std::optional<Range> y = {};
};

/// Throws     DomainError (no series; lengths that differ; not one finite value); IoError (file).
void draw_curves(const Curves& curves, const std::filesystem::path& path);

/// Lowest point of a series, labelled "best <value> at step <n>"; nothing without finite values.
std::optional<MarkedPoint> lowest_point(const Series& series);

}  // namespace contraflow::plot
