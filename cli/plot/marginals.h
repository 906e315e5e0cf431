#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/plot/axis.h"

namespace contraflow::plot {

/// One column of a table with the samples of the model for it; values that are not finite are left
/// out. Columns of few distinct values get one bar per value.
struct MarginalColumn {
  std::string name = {};
  std::vector<double> data = {};   ///< May be empty: only the samples are drawn.
  std::vector<double> model = {};  ///< May be empty: only the data are drawn.
  AxisScale scale = {};
  double step = 0.0;  ///< Distance of neighbouring values; 0 = any value, as far as is known.
};

/// One-dimensional marginals: data as filled histogram, model samples as outline.
struct Marginals {
  std::string title = {};
  std::string subtitle = {};
  std::vector<MarginalColumn> columns =
      {};  ///< The first kMostColumns are drawn; the rest is counted.
  std::string data_name = "data";
  std::string model_name = "model samples";
};
inline constexpr size_t kMostColumns = 12;

/// Throws     DomainError (no column; no finite data in a column drawn); IoError (the file).
void draw_marginals(const Marginals& marginals, const std::filesystem::path& path);

/// Samples of one coordinate that should be standard normal, e.g. data pushed to a normal base.
/// For another base push on by the normal quantile of its distribution function.
struct NormalCheck {
  std::string title = {};
  std::string subtitle = {};
  std::vector<std::vector<double>> coordinates = {};  ///< One list per coordinate.
  std::vector<std::string> names = {};                ///< As many, or none.
};

/// Histogram of all coordinates over the normal density, and the deviation of each coordinate's
/// quantiles from the normal ones over the range that 95 % of normal samples stay in, pointwise.
/// Throws     DomainError (no coordinate, one with fewer than two finite values, names that do not
///            match); IoError (the file).
void draw_normal_check(const NormalCheck& check, const std::filesystem::path& path);

}  // namespace contraflow::plot
