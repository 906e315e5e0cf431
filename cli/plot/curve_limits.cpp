#include "cli/plot/curve_limits.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cli/plot/stats.h"

namespace contraflow::plot {
namespace {

/// Values of the settled part that the axis has to show.
struct Candidates {
  std::vector<double> noisy;
  std::vector<double> firm;  ///< Smoothed courses and markers.
};

Candidates collect(const std::vector<Series>& series, double from_step) {
  Candidates found;
  for (const Series& one : series) {
    const std::vector<double> smooth = course(one);
    for (size_t i = 0; i < one.step.size(); ++i) {
      if (one.step[i] < from_step || !std::isfinite(one.value[i])) continue;
      found.firm.push_back(smooth[i]);
      if (one.style == CurveStyle::kNoisy) found.noisy.push_back(one.value[i]);
    }
  }
  std::sort(found.noisy.begin(), found.noisy.end());
  std::sort(found.firm.begin(), found.firm.end());
  return found;
}

/// Ends of `sorted` without values that lie far outside its middle half.
Range without_outliers(const std::vector<double>& sorted) {
  constexpr double kFence = 6.0;
  const double low = quantile(sorted, 0.25);
  const double high = quantile(sorted, 0.75);
  const double reach = kFence * (high - low) + 1e-12 * std::abs(high);
  const auto first = std::lower_bound(sorted.begin(), sorted.end(), low - reach);
  const auto beyond = std::upper_bound(sorted.begin(), sorted.end(), high + reach);
  return {*first, *std::prev(beyond)};
}

Range joined(Range a, Range b) { return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)}; }

}  // namespace

Series ordered(const Series& series) {
  std::vector<size_t> order;
  for (size_t i = 0; i < series.step.size(); ++i) {
    if (std::isfinite(series.step[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return series.step[a] < series.step[b]; });
  Series sorted{.name = series.name,
                .step = {},
                .value = {},
                .error = {},
                .style = series.style,
                .color = series.color};
  for (const size_t i : order) {
    sorted.step.push_back(series.step[i]);
    sorted.value.push_back(series.value[i]);
    if (!series.error.empty()) sorted.error.push_back(series.error[i]);
  }
  return sorted;
}

double course_span(const Series& series) {
  return std::max(1.0, static_cast<double>(series.value.size()) / 60.0);
}

std::vector<double> course(const Series& series) {
  if (series.style != CurveStyle::kNoisy) return series.value;
  return smoothed(series.value, course_span(series));
}

std::optional<Range> step_range(const std::vector<Series>& series) {
  std::optional<Range> all;
  for (const Series& one : series) {
    for (size_t i = 0; i < one.step.size(); ++i) {
      if (!std::isfinite(one.value[i])) continue;
      all = joined(all.value_or(Range{one.step[i], one.step[i]}), {one.step[i], one.step[i]});
    }
  }
  return all;
}

Range settled_range(const Curves& curves, const std::vector<Series>& series, Range steps) {
  constexpr double kSettling = 0.1;
  Candidates found = collect(series, steps.lo + kSettling * steps.width());
  if (found.firm.empty()) found = collect(series, steps.lo);
  Range shown = without_outliers(found.firm);
  if (!found.noisy.empty()) {
    shown = joined(shown, {quantile(found.noisy, 0.02), quantile(found.noisy, 0.98)});
  }
  for (const ReferenceLine& line : curves.references) {
    if (std::isfinite(line.value)) shown = joined(shown, {line.value, line.value});
  }
  if (curves.best && std::isfinite(curves.best->value)) {
    shown = joined(shown, {curves.best->value, curves.best->value});
  }
  return padded(shown, 0.06);
}

}  // namespace contraflow::plot
