#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/plot/marginals.h"

namespace contraflow::plot {

/// Columns of a table against each other. Entry i of every column's data belongs to row i, so that
/// all have as many; the same holds for the samples.
struct Pairs {
  std::string title = {};
  std::string subtitle = {};
  std::vector<MarginalColumn> columns = {};
  std::string data_name = "data";
  std::string model_name = "model samples";
};
inline constexpr size_t kMostPairs = 8;

/// A panel for each pair, on a square grid. Diagonal: the distribution of a column. Below it the
/// data and above it the samples, as dots, or counted where dots would cover each other; then two
/// panels of one pair share their shades. Of one of the two alone both sides show it.
/// Throws     DomainError (fewer than two columns, more than kMostPairs, lengths that differ, a
///            column that view_of() refuses); IoError (the file).
void draw_pairs(const Pairs& pairs, const std::filesystem::path& path);

}  // namespace contraflow::plot
