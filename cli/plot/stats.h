#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cli/plot/geometry.h"

namespace contraflow::plot {

/// The finite values in increasing order.
std::vector<double> sorted_finite(std::span<const double> values);
/// Value below which the fraction q of `sorted` lies, linear between order statistics.
/// `sorted` must not be empty.
double quantile(std::span<const double> sorted, double q);

/// Mean with weights that fall exponentially to both sides over about `span` values in all. Values
/// that are not finite are skipped and stay as they are.
std::vector<double> smoothed(std::span<const double> values, double span);

/// Inverse of the standard normal distribution function, p in (0, 1).
double normal_quantile(double p);
double normal_density(double z);

/// Two-sample Kolmogorov-Smirnov distance of sorted samples; NaN if one is empty.
double ks_distance(std::span<const double> sorted_a, std::span<const double> sorted_b);

/// Density of one-dimensional samples on `bins` equal cells; samples outside are not drawn but
/// count in the total, so that the curves of two samples stay comparable.
std::vector<double> histogram_density(std::span<const double> sorted, Range range, int64_t bins);
/// Number of cells by the rule of Freedman and Diaconis, with the shortest half for the quartiles;
/// at least the root of the number of values (6 to 48) and at most 100.
int64_t histogram_bins(std::span<const double> sorted, Range range);

}  // namespace contraflow::plot
