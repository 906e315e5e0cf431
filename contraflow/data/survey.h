#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

/// What the cells of a column are. Every cell counts once, as the first of these that it can be.
struct CF_EXPORT ColumnSurvey {
  std::string name;
  int64_t number = 0;    ///< From 0, in the file.
  bool unnamed = false;  ///< The header's cell was empty: `name` is column_k.
  int64_t numbers = 0;   ///< Finite ones.
  int64_t infinite = 0;  ///< Infinite, or beyond float64.
  int64_t missing = 0;   ///< With NaN; of arrays all values that are not finite.
  int64_t inexact =
      0;  ///< Integers beyond 2^53 that float64 does not have; of arrays also `missing`.
  int64_t booleans = 0;  ///< Words: true, no, t, ...; 1 and 0 are numbers.
  int64_t dates = 0;
  int64_t texts = 0;  ///< All others.
  /// Different texts of cells that are not missing, as they first appear, at most kMostDistinct, none
  /// longer than 256 bytes. Empty for arrays.
  std::vector<std::string> distinct = {};
  bool more_distinct = false;  ///< There are others than `distinct`.
  std::string first_bad = {};  ///< The first cell that is neither a finite number nor missing.
  int64_t first_bad_line = 0;  ///< Its line, from 1; 0 = there is none.

  static constexpr size_t kMostDistinct = 1000;

  /// kNumber where all that are not missing are numbers, finite or not; kBoolean and kDate likewise;
  /// else kCategory.
  CellKind suggestion() const;
};

/// What a file of rows holds.
struct TableSurvey {
  std::vector<ColumnSurvey> columns;  ///< Empty for arrays of more than two dimensions.
  int64_t rows = 0;
  int64_t bad_rows = 0;  ///< Rows with too few or too many fields, whose cells are not counted.
  std::string first_bad_row;  ///< What is wrong with the first of them, and where.
  FileFormat format;
  std::vector<std::string> notes;
};

/// Looks at every cell of a file. `options.columns`, `keep`, `cells` and `bad_cells` do not matter.
///
/// Cost       one pass, memory that does not grow with the file.
/// Throws     IoError (see RowReader), not for rows or cells that cannot be read; ConfigError (the name).
/// Example    for (const ColumnSurvey& c : survey_rows("events.csv").columns) print(c.name);
CF_EXPORT TableSurvey survey_rows(const std::filesystem::path& path, FileOptions options = {});

}  // namespace contraflow::data
