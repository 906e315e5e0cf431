#include "cli/plot/column_view.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/plot/stats.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

/// Up to so many steps are drawn one by one; more are counted together.
constexpr double kMostSteps = 100.0;

std::vector<double> sorted_places(const std::vector<double>& values, const AxisScale& scale) {
  std::vector<double> places;
  for (const double value : values) {
    if (std::isfinite(value)) places.push_back(scale.place(value));
  }
  return sorted_finite(places);
}

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

/// Nearly all of the data, and of the samples what does not squeeze the data.
Range shown_range(const std::vector<double>& data, const std::vector<double>& model) {
  constexpr double kTail = 0.0025;
  const std::vector<double>& first = data.empty() ? model : data;
  Range range{quantile(first, kTail), quantile(first, 1.0 - kTail)};
  if (data.empty() || model.empty()) return range;
  // A constant column has no width of its own to measure by.
  const double reach =
      range.width() > 0.0 ? 0.5 * range.width() : std::numeric_limits<double>::infinity();
  return {std::min(range.lo, std::max(quantile(model, 0.005), range.lo - reach)),
          std::max(range.hi, std::min(quantile(model, 0.995), range.hi + reach))};
}

/// Equal cells, each of them around one value or the same number of neighbouring values.
std::vector<double> step_cells(Range range, double first, double step, double bins) {
  const double low = first + std::round((range.lo - first) / step) * step;
  const double count = std::round((range.hi - low) / step) + 1.0;
  const double together = count <= kMostSteps ? 1.0 : std::ceil(count / bins);
  std::vector<double> edges;
  for (double k = 0.0; k < std::ceil(count / together) + 0.5; k += 1.0) {
    edges.push_back(low + (k * together - 0.5) * step);
  }
  return edges;
}

/// Cells of one value as long as they are not narrower than the others, then of ever more values.
std::vector<double> count_cells(Range range, double bins) {
  const AxisScale unit{.kind = AxisKind::kLogOnePlus};
  const double width = range.width() / bins;
  double edge = std::floor(unit.value(range.lo) + 0.5) - 0.5;
  std::vector<double> edges{unit.place(edge)};
  while (edges.back() < range.hi && edges.size() < 1000) {
    edge = std::max(edge + 1.0, std::floor(unit.value(edges.back() + width)) + 0.5);
    edges.push_back(unit.place(edge));
  }
  return edges;
}

std::vector<double> equal_cells(Range range, int64_t bins) {
  std::vector<double> edges;
  for (int64_t k = 0; k <= bins; ++k) {
    edges.push_back(
        std::lerp(range.lo, range.hi, static_cast<double>(k) / static_cast<double>(bins)));
  }
  return edges;
}

std::vector<double> cells_of(const MarginalColumn& column, const std::vector<double>& counted,
                             Range range) {
  const Range usable = usable_range(range);
  const auto bins = static_cast<double>(histogram_bins(counted, usable));
  if (column.scale.kind == AxisKind::kLogOnePlus) return count_cells(usable, bins);
  if (column.scale.kind == AxisKind::kLog) {
    return equal_cells(padded(usable, 0.02), static_cast<int64_t>(bins));
  }
  const double lattice = lattice_step(counted);
  const double step = column.step > 0.0 ? column.step : lattice;
  if (step > 0.0) {
    // Few steps are shown in full; of many the tails would squeeze the rest.
    const Range all{counted.front(), counted.back()};
    return step_cells(all.width() / step < kMostSteps ? all : range, counted.front(), step, bins);
  }
  return equal_cells(padded(usable, 0.02), static_cast<int64_t>(bins));
}

}  // namespace

bool ColumnView::is_cut() const {
  const std::vector<double>& counted = data.empty() ? model : data;
  return counted.front() < edges.front() || counted.back() > edges.back();
}

ColumnView view_of(const MarginalColumn& column) {
  ColumnView view{sorted_places(column.data, column.scale),
                  sorted_places(column.model, column.scale),
                  {},
                  {{}, column.scale}};
  const std::vector<double>& counted = column.data.empty() ? view.model : view.data;
  if (counted.empty()) {
    fail<DomainError>(
        "plot.column", column.name.empty() ? "column" : column.name, "at least one finite value",
        std::to_string(column.data.size()) + " values of data", "Leave this column out");
  }
  view.edges = cells_of(column, counted, shown_range(view.data, view.model));
  view.axis.range = {view.edges.front(), view.edges.back()};
  return view;
}

std::vector<double> cell_density(std::span<const double> sorted, std::span<const double> edges) {
  std::vector<double> density;
  auto from = std::lower_bound(sorted.begin(), sorted.end(), edges.front());
  for (size_t k = 0; k + 1 < edges.size(); ++k) {
    const auto to = k + 2 == edges.size() ? std::upper_bound(from, sorted.end(), edges[k + 1])
                                          : std::lower_bound(from, sorted.end(), edges[k + 1]);
    const double width = edges[k + 1] - edges[k];
    density.push_back(static_cast<double>(to - from) /
                      (static_cast<double>(sorted.size()) * width));
    from = to;
  }
  return density;
}

std::vector<double> joined_cells(std::span<const double> edges, size_t most) {
  const size_t together = (edges.size() - 2) / most + 1;
  std::vector<double> joined;
  for (size_t k = 0; k < edges.size(); k += together) joined.push_back(edges[k]);
  if (joined.back() != edges.back()) joined.push_back(edges.back());
  return joined;
}

std::vector<Point> step_outline(const Panel& panel, std::span<const double> edges,
                                std::span<const double> density) {
  std::vector<Point> points{panel.at(edges.front(), 0.0)};
  for (size_t i = 0; i < density.size(); ++i) {
    points.push_back(panel.at(edges[i], density[i]));
    points.push_back(panel.at(edges[i + 1], density[i]));
  }
  points.push_back(panel.at(edges.back(), 0.0));
  return points;
}

Color data_color() { return mix(theme::kPaper, series_color(0), 0.42); }
Color model_color() { return mix(series_color(1), theme::kInk, 0.12); }

}  // namespace contraflow::plot
