#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/plot/heat.h"

namespace contraflow::plot {

/// One cell of a sheet: a small density map, or free where there is none.
struct SheetCell {
  std::optional<Grid> log_density = {};  ///< In nats; -inf is density zero.
  std::string note = {};                 ///< Below the map, e.g. "2.658".
  bool smooth = true;                    ///< false for counts.
};

/// The cells of one row share one colour scale, from 0 to their largest density.
struct SheetRow {
  std::string label = {};
  std::vector<SheetCell> cells = {};  ///< As many as there are columns.
};

/// Density maps as a table: a row per data set, a column per model.
struct DensitySheet {
  std::string title = {};
  std::string subtitle = {};
  std::vector<std::string> columns = {};
  std::vector<SheetRow> rows = {};
};

/// Throws     DomainError (no column, no row, or more than 40 of either; a row of another length; a
///            malformed grid); IoError (the file).
void draw_density_sheet(const DensitySheet& sheet, const std::filesystem::path& path);

}  // namespace contraflow::plot
