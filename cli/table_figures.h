#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/figures.h"

namespace contraflow::cli {

/// Pictures of the columns of a table, one by one and against each other.

/// Which columns a picture of at most `most` shows: those of FigureInput::chosen, else the first
/// ones; of pixels, which share a unit, those that vary most.
std::vector<int64_t> shown_columns(const FigureInput& input, size_t most);

/// Each column's distribution in data and samples.
void draw_columns(const FigureInput& input, const std::filesystem::path& path);
/// Columns against each other in data and samples.
void draw_column_pairs(const FigureInput& input, const std::filesystem::path& path);

/// The flow begins with a curve or masses for each column.
bool has_column_maps(const Flow& flow);
/// Those curves, from values to normal scores.
void draw_column_curves(const FigureInput& input, const std::filesystem::path& path);

}  // namespace contraflow::cli
