#include "cli/plot/stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace contraflow::plot {
namespace {

/// Sums that forget: the weight of a value falls by `keep` with every value after it.
struct Fading {
  double keep;
  double sum = 0.0;
  double weight = 0.0;
  void add(double value) {
    sum = keep * sum + value;
    weight = keep * weight + 1.0;
  }
};

}  // namespace

std::vector<double> sorted_finite(std::span<const double> values) {
  std::vector<double> sorted;
  sorted.reserve(values.size());
  for (const double value : values) {
    if (std::isfinite(value)) sorted.push_back(value);
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

double quantile(std::span<const double> sorted, double q) {
  const double position = std::clamp(q, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto left = static_cast<size_t>(position);
  const size_t right = std::min(left + 1, sorted.size() - 1);
  return std::lerp(sorted[left], sorted[right], position - static_cast<double>(left));
}

std::vector<double> smoothed(std::span<const double> values, double span) {
  const double keep = 1.0 - 1.0 / std::max(1.0, 0.5 * span);
  std::vector<double> result(values.begin(), values.end());
  std::vector<double> weight(values.size(), 1.0);
  Fading before{keep};
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    before.add(values[i]);
    result[i] = before.sum;
    weight[i] = before.weight;
  }
  Fading after{keep};
  for (size_t i = values.size(); i-- > 0;) {
    if (!std::isfinite(values[i])) continue;
    after.add(values[i]);
    // Both sums hold the value itself.
    result[i] = (result[i] + after.sum - values[i]) / (weight[i] + after.weight - 1.0);
  }
  return result;
}

double normal_density(double z) {
  return std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi);
}

double normal_quantile(double p) {
  if (p > 0.5) return -normal_quantile(1.0 - p);
  // The tail's leading behaviour starts Newton's method on log Phi, which is concave: no overshoot.
  double z = -std::sqrt(std::max(0.0, -2.0 * std::log(2.0 * p)));
  for (int i = 0; i < 30; ++i) {
    const double below = 0.5 * std::erfc(-z / std::numbers::sqrt2);
    const double step = (std::log(below) - std::log(p)) * below / normal_density(z);
    z -= step;
    if (std::abs(step) < 1e-13 * (1.0 + std::abs(z))) break;
  }
  return z;
}

double ks_distance(std::span<const double> sorted_a, std::span<const double> sorted_b) {
  if (sorted_a.empty() || sorted_b.empty()) return std::numeric_limits<double>::quiet_NaN();
  double worst = 0.0;
  size_t a = 0;
  size_t b = 0;
  while (a < sorted_a.size() && b < sorted_b.size()) {
    const double at = std::min(sorted_a[a], sorted_b[b]);
    while (a < sorted_a.size() && sorted_a[a] == at) ++a;
    while (b < sorted_b.size() && sorted_b[b] == at) ++b;
    const double below_a = static_cast<double>(a) / static_cast<double>(sorted_a.size());
    const double below_b = static_cast<double>(b) / static_cast<double>(sorted_b.size());
    worst = std::max(worst, std::abs(below_a - below_b));
  }
  return worst;
}

std::vector<double> histogram_density(std::span<const double> sorted, Range range, int64_t bins) {
  std::vector<double> density(static_cast<size_t>(bins), 0.0);
  const double cell = range.width() / static_cast<double>(bins);
  const double share = 1.0 / (static_cast<double>(sorted.size()) * cell);
  for (const double value : sorted) {
    if (value < range.lo || value > range.hi) continue;
    const auto index = static_cast<int64_t>((value - range.lo) / cell);
    density[static_cast<size_t>(std::min(index, bins - 1))] += share;
  }
  return density;
}

int64_t histogram_bins(std::span<const double> sorted, Range range) {
  constexpr double kMost = 100.0;
  if (sorted.empty()) return 6;
  const double count = static_cast<double>(sorted.size());
  const double fewest = std::clamp(std::sqrt(count), 6.0, 48.0);
  // The shortest interval that holds half of the values: the quartiles of separate clumps would
  // ask for cells wider than a clump.
  const size_t half = sorted.size() / 2;
  double spread = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i + half < sorted.size(); ++i) {
    spread = std::min(spread, sorted[i + half] - sorted[i]);
  }
  const double cell = 2.0 * spread / std::cbrt(count);
  const double bins = cell > 0.0 ? range.width() / cell : kMost;
  return static_cast<int64_t>(std::clamp(bins, fewest, kMost));
}

}  // namespace contraflow::plot
