#include "cli/plot/curves.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "cli/plot/curve_limits.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotCurves = "plot.curves";
constexpr double kPlotWidth = 640.0;
constexpr double kPlotHeight = 360.0;
constexpr double kRateHeight = 80.0;
constexpr double kRateGap = 18.0;
constexpr double kCurvesLegendGap = 10.0;
constexpr double kReferenceGap = 8.0;
constexpr double kReferenceWidth = 200.0;
constexpr double kReferencePitch = 16.0;
constexpr const char* kRateLabel = "learning rate";

void check_series(const Series& series) {
  const size_t count = series.step.size();
  const bool error_fits = series.error.empty() || series.error.size() == count;
  if (series.value.size() == count && error_fits) return;
  fail<DomainError>(kPlotCurves, series.name, "as many values (and errors, if any) as steps",
                    std::to_string(count) + " steps, " + std::to_string(series.value.size()) +
                        " values, " + std::to_string(series.error.size()) + " errors",
                    "Pass one value per step");
}

std::vector<Series> ordered_series(const Curves& curves) {
  std::vector<Series> series;
  for (const Series& one : curves.series) {
    check_series(one);
    series.push_back(ordered(one));
  }
  return series;
}

std::vector<Point> placed(const Panel& panel, const std::vector<double>& steps,
                          const std::vector<double>& values) {
  std::vector<Point> points;
  for (size_t i = 0; i < steps.size(); ++i) points.push_back(panel.at(steps[i], values[i]));
  return points;
}

/// One polygon per run of finite values.
void draw_band(Canvas& canvas, const Panel& panel, const Series& series, const Color& color) {
  std::vector<Point> upper;
  std::vector<Point> lower;
  const auto finish = [&] {
    upper.insert(upper.end(), lower.rbegin(), lower.rend());
    if (!upper.empty()) canvas.polygon(upper, color, 0.18);
    upper.clear();
    lower.clear();
  };
  for (size_t i = 0; i < series.error.size(); ++i) {
    const double half = series.error[i];
    if (!std::isfinite(series.value[i]) || !std::isfinite(half)) {
      finish();
      continue;
    }
    upper.push_back(panel.at(series.step[i], series.value[i] + half));
    lower.push_back(panel.at(series.step[i], series.value[i] - half));
  }
  finish();
}

bool is_dashed(CurveStyle style) {
  return style == CurveStyle::kDashed || style == CurveStyle::kTruth;
}

/// A single value has no line to show: it gets a disc.
void draw_series(Canvas& canvas, const Panel& panel, const Series& series, const Color& color) {
  draw_band(canvas, panel, series, color);
  const std::vector<Point> points = placed(panel, series.step, series.value);
  if (series.style == CurveStyle::kNoisy) {
    canvas.polyline(points, {.color = color, .width = 0.7, .alpha = 0.28});
    const std::vector<Point> bold = placed(panel, series.step, course(series));
    canvas.polyline(bold, {.color = color, .width = 2.2});
    if (bold.size() == 1) canvas.disc(bold.front(), 3.4, color);
    return;
  }
  const bool dashed = is_dashed(series.style);
  canvas.polyline(points, {.color = color, .width = 1.6, .dashed = dashed});
  if (series.style != CurveStyle::kMarkers) {
    if (points.size() == 1) canvas.disc(points.front(), 3.4, color);
    return;
  }
  // Markers closer than their size would hide the line.
  const bool sparse = static_cast<double>(points.size()) * 7.0 < panel.area().width;
  for (const Point& at : points) {
    if (!std::isfinite(at.y)) continue;
    canvas.disc(at, sparse ? 4.2 : 1.8, theme::kPanel);
    canvas.disc(at, sparse ? 3.2 : 1.4, color);
  }
}

/// Texts beside their lines, pushed apart downwards where they would touch.
void draw_references(Canvas& canvas, const Panel& panel, std::vector<ReferenceLine> lines) {
  std::erase_if(lines, [&](const ReferenceLine& line) {
    return !(line.value >= panel.y_range().lo && line.value <= panel.y_range().hi);
  });
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.value > b.value; });
  const double right = panel.area().right();
  std::vector<double> text_y;
  double lowest = panel.area().y - kReferencePitch;
  for (const ReferenceLine& line : lines) {
    lowest = std::max(panel.at_y(line.value), lowest + kReferencePitch);
    text_y.push_back(lowest);
  }
  // The last ones may have been pushed below the frame: take them back up.
  double highest = panel.area().bottom() + kReferencePitch;
  for (size_t i = text_y.size(); i-- > 0;) {
    highest = std::min(text_y[i], highest - kReferencePitch);
    text_y[i] = highest;
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    const double y = panel.at_y(lines[i].value);
    canvas.line({panel.area().x, y}, {right, y},
                {.color = theme::kSoftInk, .width = 1.2, .dashed = true});
    canvas.line({right, y}, {right + kReferenceGap - 2.0, text_y[i]}, {.color = theme::kFrame});
    canvas.text({right + kReferenceGap, text_y[i]},
                ellipsized(lines[i].label, tick_style(), kReferenceWidth), tick_style());
  }
}

void draw_best(Canvas& canvas, const Panel& panel, const MarkedPoint& best) {
  const Point at = panel.at(best.step, best.value);
  if (!std::isfinite(at.x) || !std::isfinite(at.y)) return;
  const Canvas::Clip clip(canvas, panel.area());
  canvas.line({at.x, panel.area().y}, {at.x, panel.area().bottom()},
              {.color = theme::kInk, .width = 0.9, .alpha = 0.45, .dashed = true});
  canvas.ring(at, 6.5, {.color = theme::kInk, .width = 1.8});
}

Color color_of(const Series& series, size_t place) {
  if (series.style == CurveStyle::kTruth) return theme::kInk;
  return series_color(series.color.value_or(place));
}

Swatch swatch_of(CurveStyle style) {
  if (style == CurveStyle::kMarkers) return Swatch::kMarker;
  return is_dashed(style) ? Swatch::kDash : Swatch::kLine;
}

/// Its pale values and its bold course, where that is not the same line.
void add_noisy(std::vector<LegendEntry>& entries, const Series& series, const Color& color) {
  const double span = course_span(series);
  if (span < 2.0) {
    entries.push_back({series.name, color});
    return;
  }
  entries.push_back({series.name, mix(theme::kPaper, color, 0.35)});
  entries.push_back({"running mean of about " + format_fixed(span, 0) + " values", color});
}

std::vector<LegendEntry> legend_of(const Curves& curves) {
  std::vector<LegendEntry> entries;
  const Color* band = nullptr;
  std::vector<Color> colors;
  for (size_t i = 0; i < curves.series.size(); ++i) {
    colors.push_back(color_of(curves.series[i], i));
  }
  for (size_t i = 0; i < curves.series.size(); ++i) {
    const Series& one = curves.series[i];
    if (one.style == CurveStyle::kNoisy) {
      add_noisy(entries, one, colors[i]);
    } else {
      entries.push_back({one.name, colors[i], swatch_of(one.style)});
    }
    const bool wide =
        std::any_of(one.error.begin(), one.error.end(), [](double e) { return e > 0; });
    if (band == nullptr && wide) band = &colors[i];
  }
  if (band != nullptr) {
    entries.push_back({curves.band_text, mix(theme::kPaper, *band, 0.3), Swatch::kBox});
  }
  if (curves.best) entries.push_back({curves.best->label, theme::kInk, Swatch::kRing});
  return entries;
}

double reference_space(const std::vector<ReferenceLine>& lines) {
  double width = 0.0;
  for (const ReferenceLine& line : lines) {
    width = std::max(width, std::min(text_width(line.label, tick_style()), kReferenceWidth));
  }
  return lines.empty() ? 0.0 : kReferenceGap + width;
}

Range rate_range(const Series& rate) {
  double top = 0.0;
  for (const double value : rate.value) {
    if (std::isfinite(value)) top = std::max(top, value);
  }
  return {0.0, top > 0.0 ? 1.12 * top : 1.0};
}

void draw_rate(Canvas& canvas, const Panel& panel, const Series& rate, const Curves& curves) {
  panel.draw_ground(canvas);
  panel.draw_grid(canvas);
  {
    const Canvas::Clip clip(canvas, panel.area());
    canvas.polyline(placed(panel, rate.step, rate.value), {.color = theme::kSoftInk, .width = 1.6});
  }
  panel.draw_axes(canvas, curves.x_label, kRateLabel);
}

void draw_main(Canvas& canvas, const Panel& panel, const Curves& curves,
               const std::vector<Series>& series) {
  panel.draw_ground(canvas);
  panel.draw_grid(canvas);
  draw_references(canvas, panel, curves.references);
  {
    const Canvas::Clip clip(canvas, panel.area());
    for (size_t i = 0; i < series.size(); ++i) {
      draw_series(canvas, panel, series[i], color_of(series[i], i));
    }
  }
  if (curves.best) draw_best(canvas, panel, *curves.best);
  panel.draw_axes(canvas, curves.x_label, curves.y_label,
                  curves.learning_rate ? AxisDetail::kMarks : AxisDetail::kTexts);
}

}  // namespace

void draw_curves(const Curves& curves, const std::filesystem::path& path) {
  const std::vector<Series> series = ordered_series(curves);
  const std::optional<Range> steps = step_range(series);
  if (!steps) {
    fail<DomainError>(kPlotCurves, "series", "at least one finite value", "none",
                      "Train for a step before drawing its curves");
  }
  if (curves.learning_rate) check_series(*curves.learning_rate);
  const Range x = padded(*steps, 0.015);
  const Range y = curves.y ? usable_range(*curves.y) : settled_range(curves, series, *steps);
  const Range rate_y = curves.learning_rate ? rate_range(*curves.learning_rate) : Range{};

  double left = left_space(y, kPlotHeight, curves.y_label);
  if (curves.learning_rate) {
    left = std::max(left, left_space(rate_y, kRateHeight, kRateLabel));
  }
  left += theme::kMargin;
  const std::vector<LegendEntry> legend = legend_of(curves);
  const double legend_top = heading_bottom(curves.title, curves.subtitle);
  const double top = legend_top + legend_height(legend, kPlotWidth) + kCurvesLegendGap;
  const double rate_top = top + kPlotHeight + kRateGap;
  const double bottom = curves.learning_rate ? rate_top + kRateHeight : top + kPlotHeight;
  Canvas canvas(left + kPlotWidth + reference_space(curves.references) + theme::kMargin,
                bottom + bottom_space(x, kPlotWidth, curves.x_label) + theme::kMargin);
  draw_heading(canvas, curves.title, curves.subtitle);
  draw_legend(canvas, {left, legend_top}, kPlotWidth, legend);
  draw_main(canvas, Panel({left, top, kPlotWidth, kPlotHeight}, x, y), curves, series);
  if (curves.learning_rate) {
    draw_rate(canvas, Panel({left, rate_top, kPlotWidth, kRateHeight}, x, rate_y),
              ordered(*curves.learning_rate), curves);
  }
  canvas.write_png(path);
}

std::optional<MarkedPoint> lowest_point(const Series& series) {
  check_series(series);
  std::optional<MarkedPoint> best;
  for (size_t i = 0; i < series.step.size(); ++i) {
    if (!std::isfinite(series.step[i]) || !std::isfinite(series.value[i])) continue;
    if (!best || series.value[i] < best->value) best = {series.step[i], series.value[i], {}};
  }
  if (best) {
    best->label =
        "best " + format_fixed(best->value, 3) + " at step " + format_fixed(best->step, 0);
  }
  return best;
}

}  // namespace contraflow::plot
