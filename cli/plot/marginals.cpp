#include "cli/plot/marginals.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "cli/plot/panel.h"
#include "cli/plot/stats.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotMarginals = "plot.marginals";
constexpr double kPanelAspect = 0.56;
constexpr double kColumnGap = 26.0;
constexpr double kRowGap = 20.0;
constexpr double kMarginalsLegendGap = 6.0;

/// Sorted samples of both kinds and the cells they are counted in.
struct Counted {
  std::vector<double> data;
  std::vector<double> model;
  Range range;
  int64_t bins = 1;
};

/// Distance of neighbouring values if the sorted data have few and evenly spaced ones, else 0.
double lattice_step(const std::vector<double>& sorted) {
  constexpr size_t kMostValues = 40;
  std::vector<double> distinct;
  for (const double value : sorted) {
    if (!distinct.empty() && value == distinct.back()) continue;
    if (distinct.size() == kMostValues) return 0.0;
    distinct.push_back(value);
  }
  // Few values out of few samples say nothing.
  if (distinct.size() < 2 || sorted.size() < 5 * distinct.size()) return 0.0;
  double step = distinct[1] - distinct[0];
  for (size_t i = 1; i < distinct.size(); ++i) {
    step = std::min(step, distinct[i] - distinct[i - 1]);
  }
  const double cells = (distinct.back() - distinct.front()) / step;
  const bool regular = std::all_of(distinct.begin(), distinct.end(), [&](double value) {
    const double k = (value - distinct.front()) / step;
    return std::abs(k - std::round(k)) < 1e-6 * std::max(1.0, cells);
  });
  return regular && cells <= 3.0 * kMostValues ? step : 0.0;
}

Counted count(const MarginalColumn& column) {
  Counted counted{sorted_finite(column.data), sorted_finite(column.model), {}, 1};
  if (counted.data.empty()) {
    fail<DomainError>(kPlotMarginals, column.name.empty() ? "column" : column.name,
                      "at least one finite value", std::to_string(column.data.size()) + " values",
                      "Leave this column out");
  }
  if (const double step = lattice_step(counted.data); step > 0.0) {
    counted.range = {counted.data.front() - 0.5 * step, counted.data.back() + 0.5 * step};
    counted.bins = std::lround(counted.range.width() / step);
    return counted;
  }
  // The tails of either sample beyond this would squeeze everything else.
  constexpr double kTail = 0.0025;
  Range range{quantile(counted.data, kTail), quantile(counted.data, 1.0 - kTail)};
  if (!counted.model.empty()) {
    // A constant column has no width of its own to measure by.
    const double reach =
        range.width() > 0.0 ? 0.5 * range.width() : std::numeric_limits<double>::infinity();
    range = {std::min(range.lo, std::max(quantile(counted.model, 0.005), range.lo - reach)),
             std::max(range.hi, std::min(quantile(counted.model, 0.995), range.hi + reach))};
  }
  counted.range = padded(range, 0.02);
  counted.bins = histogram_bins(counted.data, counted.range);
  return counted;
}

/// Outline of a histogram as a step function from and to zero.
std::vector<Point> steps(const Panel& panel, const Counted& counted,
                         const std::vector<double>& density) {
  const double cell = counted.range.width() / static_cast<double>(counted.bins);
  std::vector<Point> points{panel.at(counted.range.lo, 0.0)};
  for (size_t i = 0; i < density.size(); ++i) {
    const double left = counted.range.lo + static_cast<double>(i) * cell;
    points.push_back(panel.at(left, density[i]));
    points.push_back(panel.at(left + cell, density[i]));
  }
  points.push_back(panel.at(counted.range.hi, 0.0));
  return points;
}

Color data_color() { return mix(theme::kPaper, series_color(0), 0.42); }
Color model_color() { return mix(series_color(1), theme::kInk, 0.12); }

void draw_column(Canvas& canvas, const Rect& area, const MarginalColumn& column) {
  const Counted counted = count(column);
  const auto data = histogram_density(counted.data, counted.range, counted.bins);
  std::vector<double> model;
  double top = *std::max_element(data.begin(), data.end());
  if (!counted.model.empty()) {
    model = histogram_density(counted.model, counted.range, counted.bins);
    // A model that piles up on one value may not flatten the data to nothing.
    top = std::max(top, std::min(*std::max_element(model.begin(), model.end()), 3.0 * top));
  }
  const Panel panel(area, counted.range, {0.0, top > 0.0 ? 1.08 * top : 1.0});
  panel.draw_ground(canvas);
  {
    const Canvas::Clip clip(canvas, area);
    canvas.polygon(steps(panel, counted, data), data_color());
    if (!model.empty()) {
      canvas.polyline(steps(panel, counted, model), {.color = model_color(), .width = 1.6});
    }
  }
  panel.draw_axes(canvas, "", "", AxisDetail::kTexts, AxisDetail::kNone);
  const double distance = ks_distance(counted.data, counted.model);
  panel.draw_title(canvas, column.name,
                   std::isnan(distance) ? "" : "KS " + format_fixed(distance, 3));
}

size_t columns_per_row(size_t count) {
  if (count <= 4) return count;
  return count == 5 || count == 6 || count == 9 ? 3 : 4;
}

/// Few panels are larger, so that a figure never is a stamp.
double panel_width(size_t per_row) {
  return per_row == 1 ? 480.0 : per_row == 2 ? 330.0 : per_row == 3 ? 260.0 : 228.0;
}

std::string full_subtitle(const Marginals& marginals) {
  const size_t count = marginals.columns.size();
  if (count <= kMostColumns) return marginals.subtitle;
  return marginals.subtitle + (marginals.subtitle.empty() ? "" : " · ") + "the first " +
         std::to_string(kMostColumns) + " of " + std::to_string(count) + " columns";
}

std::vector<LegendEntry> legend_of(const Marginals& marginals) {
  std::vector<LegendEntry> entries{{marginals.data_name, data_color(), Swatch::kBox}};
  const bool any_model = std::any_of(marginals.columns.begin(), marginals.columns.end(),
                                     [](const auto& column) { return !column.model.empty(); });
  if (!any_model) return entries;
  entries.push_back({marginals.model_name, model_color()});
  entries.push_back({"KS: largest distance between the two distribution functions", theme::kSoftInk,
                     Swatch::kNone});
  return entries;
}

}  // namespace

void draw_marginals(const Marginals& marginals, const std::filesystem::path& path) {
  if (marginals.columns.empty()) {
    fail<DomainError>(kPlotMarginals, "columns", "at least one column", "none", "Pass a column");
  }
  const size_t count = std::min(marginals.columns.size(), kMostColumns);
  const size_t per_row = columns_per_row(count);
  const size_t rows = (count + per_row - 1) / per_row;
  const Point size{panel_width(per_row), std::round(kPanelAspect * panel_width(per_row))};
  const double pitch_x = size.x + kColumnGap;
  const double pitch_y = kPanelTitleSpace + size.y + bottom_space("") + kRowGap;
  const double width = static_cast<double>(per_row) * pitch_x - kColumnGap;
  const std::string subtitle = full_subtitle(marginals);
  const std::vector<LegendEntry> legend = legend_of(marginals);
  const double legend_top = heading_bottom(marginals.title, subtitle);
  const double top = legend_top + legend_height(legend, width) + kMarginalsLegendGap;
  Canvas canvas(width + 2.0 * theme::kMargin,
                top + static_cast<double>(rows) * pitch_y - kRowGap + theme::kMargin);
  draw_heading(canvas, marginals.title, subtitle);
  draw_legend(canvas, {theme::kMargin, legend_top}, width, legend);
  for (size_t i = 0; i < count; ++i) {
    const double left = theme::kMargin + static_cast<double>(i % per_row) * pitch_x;
    const double panel_top = top + static_cast<double>(i / per_row) * pitch_y + kPanelTitleSpace;
    draw_column(canvas, {left, panel_top, size.x, size.y}, marginals.columns[i]);
  }
  canvas.write_png(path);
}

}  // namespace contraflow::plot
