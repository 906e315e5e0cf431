// The quantile plot declared in marginals.h.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cli/plot/marginals.h"
#include "cli/plot/panel.h"
#include "cli/plot/stats.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotNormalCheck = "plot.normal_check";
constexpr double kCheckSide = 350.0;
constexpr double kCheckGap = 34.0;
constexpr double kCheckLegendGap = 14.0;
/// More coordinates than this share one colour.
constexpr size_t kMostNamed = 6;
/// Normal quantiles are drawn up to here; further out single samples decide.
constexpr double kFarthest = 3.0;
constexpr double kPointwise95 = 1.959964;

using Sorted = std::vector<std::vector<double>>;

Sorted sort_coordinates(const NormalCheck& check) {
  const auto reject = [](const std::string& expected, const std::string& got) {
    fail<DomainError>(kPlotNormalCheck, "coordinates", expected, got,
                      "Pass the pushed-back samples");
  };
  if (check.coordinates.empty()) reject("at least one coordinate", "none");
  if (!check.names.empty() && check.names.size() != check.coordinates.size()) {
    reject(std::to_string(check.names.size()) + " lists, one per name",
           std::to_string(check.coordinates.size()));
  }
  Sorted sorted;
  for (const auto& values : check.coordinates) {
    sorted.push_back(sorted_finite(values));
    if (sorted.back().size() < 2) {
      reject("two or more finite values each", std::to_string(sorted.back().size()));
    }
  }
  return sorted;
}

/// Largest normal quantile that so many samples still tell about.
double reach_of(size_t count) {
  const double p = 1.0 / (static_cast<double>(count) + 1.0);
  return std::min(kFarthest, -normal_quantile(std::min(p, 0.4)));
}

/// Half width of the pointwise 95 % interval of the empirical quantile at z.
double band_at(double z, size_t count) {
  const double p = 0.5 * std::erfc(-z / std::sqrt(2.0));
  return kPointwise95 * std::sqrt(p * (1.0 - p) / static_cast<double>(count)) / normal_density(z);
}

struct Worm {
  std::vector<double> z;
  std::vector<double> deviation;
};

Worm deviations(const std::vector<double>& sorted) {
  constexpr int kPoints = 121;
  const double reach = reach_of(sorted.size());
  Worm worm;
  for (int i = 0; i < kPoints; ++i) {
    const double z = std::lerp(-reach, reach, i / (kPoints - 1.0));
    worm.z.push_back(z);
    const double p = 0.5 * std::erfc(-z / std::sqrt(2.0));
    worm.deviation.push_back(quantile(sorted, p) - z);
  }
  return worm;
}

size_t smallest_count(const Sorted& sorted) {
  size_t count = sorted.front().size();
  for (const auto& values : sorted) count = std::min(count, values.size());
  return count;
}

/// Symmetric; the middle of every worm fits, and its ends unless they run off.
double worm_height(const std::vector<Worm>& worms, size_t count) {
  constexpr double kMiddle = 2.0;
  constexpr double kMostStretch = 2.5;
  double middle = 1.3 * band_at(std::min(2.5, reach_of(count)), count);
  double all = middle;
  for (const Worm& worm : worms) {
    for (size_t i = 0; i < worm.z.size(); ++i) {
      const double needed = 1.1 * std::abs(worm.deviation[i]);
      all = std::max(all, needed);
      if (std::abs(worm.z[i]) <= kMiddle) middle = std::max(middle, needed);
    }
  }
  return std::min(all, kMostStretch * middle);
}

Color coordinate_color(size_t index, size_t count) {
  return count <= kMostNamed ? series_color(index) : series_color(0);
}

void draw_worms(Canvas& canvas, const Panel& panel, const std::vector<Worm>& worms, size_t count) {
  panel.draw_ground(canvas);
  panel.draw_grid(canvas);
  {
    const Canvas::Clip clip(canvas, panel.area());
    std::vector<Point> upper;
    std::vector<Point> lower;
    const double reach = reach_of(count);
    for (int i = 0; i <= 100; ++i) {
      const double z = std::lerp(-reach, reach, i / 100.0);
      upper.push_back(panel.at(z, band_at(z, count)));
      lower.push_back(panel.at(z, -band_at(z, count)));
    }
    upper.insert(upper.end(), lower.rbegin(), lower.rend());
    canvas.polygon(upper, theme::kFrame, 0.38);
    canvas.line({panel.area().x, panel.at_y(0.0)}, {panel.area().right(), panel.at_y(0.0)},
                {.color = theme::kSoftInk, .width = 1.2});
    const bool named = worms.size() <= kMostNamed;
    for (size_t k = 0; k < worms.size(); ++k) {
      std::vector<Point> points;
      for (size_t i = 0; i < worms[k].z.size(); ++i) {
        points.push_back(panel.at(worms[k].z[i], worms[k].deviation[i]));
      }
      canvas.polyline(points, {.color = coordinate_color(k, worms.size()),
                               .width = named ? 1.8 : 1.0,
                               .alpha = named ? 1.0 : 0.35});
    }
  }
  panel.draw_axes(canvas, "standard normal quantile", "sample quantile − normal quantile");
  panel.draw_title(canvas, "deviation of quantiles");
}

std::vector<double> pool(const Sorted& sorted) {
  std::vector<double> all;
  for (const auto& values : sorted) all.insert(all.end(), values.begin(), values.end());
  std::sort(all.begin(), all.end());
  return all;
}

constexpr Range kView{-4.2, 4.2};

void draw_histogram(Canvas& canvas, const Panel& panel, const std::vector<double>& density) {
  panel.draw_ground(canvas);
  panel.draw_grid(canvas);
  {
    const Canvas::Clip clip(canvas, panel.area());
    const double cell = kView.width() / static_cast<double>(density.size());
    std::vector<Point> outline{panel.at(kView.lo, 0.0)};
    for (size_t i = 0; i < density.size(); ++i) {
      const double left = kView.lo + static_cast<double>(i) * cell;
      outline.push_back(panel.at(left, density[i]));
      outline.push_back(panel.at(left + cell, density[i]));
    }
    outline.push_back(panel.at(kView.hi, 0.0));
    canvas.polygon(outline, mix(theme::kPaper, series_color(0), 0.42));
    std::vector<Point> curve;
    for (int i = 0; i <= 200; ++i) {
      const double z = std::lerp(kView.lo, kView.hi, i / 200.0);
      curve.push_back(panel.at(z, normal_density(z)));
    }
    canvas.polyline(curve, {.color = theme::kInk, .width = 1.8});
  }
  panel.draw_axes(canvas, "z", "density");
  panel.draw_title(canvas, "all coordinates");
}

std::vector<LegendEntry> legend_of(const NormalCheck& check) {
  std::vector<LegendEntry> entries{
      {"samples", mix(theme::kPaper, series_color(0), 0.42), Swatch::kBox},
      {"standard normal", theme::kInk},
      {"95 % band of normal samples", mix(theme::kPanel, theme::kFrame, 0.38), Swatch::kBox}};
  const size_t count = check.coordinates.size();
  if (count > kMostNamed) {
    entries.push_back({std::to_string(count) + " coordinates", series_color(0)});
  }
  for (size_t k = 0; count <= kMostNamed && k < check.names.size(); ++k) {
    entries.push_back({check.names[k], series_color(k)});
  }
  return entries;
}

}  // namespace

void draw_normal_check(const NormalCheck& check, const std::filesystem::path& path) {
  const Sorted sorted = sort_coordinates(check);
  const std::vector<double> all = pool(sorted);
  const std::vector<double> density =
      histogram_density(all, kView, std::max<int64_t>(20, histogram_bins(all, kView)));
  const double tallest = std::max(0.4, *std::max_element(density.begin(), density.end()));
  std::vector<Worm> worms;
  for (const auto& values : sorted) worms.push_back(deviations(values));
  const size_t count = smallest_count(sorted);
  const double height = worm_height(worms, count);
  const Range left_y{0.0, 1.1 * std::min(tallest, 1.6)};
  const Range right_y{-height, height};

  const double left = theme::kMargin + left_space(left_y, kCheckSide, "density");
  const double right = left + kCheckSide + kCheckGap + left_space(right_y, kCheckSide, "deviation");
  const double top = heading_bottom(check.title, check.subtitle) + kPanelTitleSpace;
  const std::vector<LegendEntry> legend = legend_of(check);
  const double legend_top =
      top + kCheckSide + bottom_space(kView, kCheckSide, "z") + kCheckLegendGap;
  const double legend_width = right + kCheckSide - left;
  Canvas canvas(right + kCheckSide + theme::kMargin,
                legend_top + legend_height(legend, legend_width) + theme::kMargin);
  draw_heading(canvas, check.title, check.subtitle);
  draw_histogram(canvas, Panel({left, top, kCheckSide, kCheckSide}, kView, left_y), density);
  const double reach = 1.08 * reach_of(all.size());
  draw_worms(canvas, Panel({right, top, kCheckSide, kCheckSide}, {-reach, reach}, right_y), worms,
             count);
  draw_legend(canvas, {left, legend_top}, legend_width, legend);
  canvas.write_png(path);
}

}  // namespace contraflow::plot
