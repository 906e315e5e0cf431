#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

/// Named columns of numbers.
struct Table {
  std::vector<std::string> columns;
  at::Tensor rows;     ///< [N, D], of the type that the file has where float64 is not needed.
  std::string source;  ///< The file's name, for messages.
  /// Columns whose header was empty, as that of a row number is.
  std::vector<std::string> unnamed = {};
};

/// Reads a whole file; see open_rows for formats and errors. Events of several dimensions are
/// flattened into columns value_0, value_1, ...
CF_EXPORT Table read_table(const std::filesystem::path& path, const FileOptions& options = {});

/// Weights [rows] of a file of their own, one for each row of `data`; ShapeError for another shape.
CF_EXPORT at::Tensor read_weight_file(const std::filesystem::path& path, int64_t rows,
                                      const std::string& data);

/// Which values a table may hold.
struct TableRules {
  /// A column with one value has no density. Off for integers that will be dequantized.
  bool allow_constant_columns = false;
  /// Integers 0 .. levels - 1 only; 0 = anything.
  int64_t levels = 0;
  /// Every value within [low, high].
  std::optional<double> low = {};
  std::optional<double> high = {};
};

/// At least two rows, one column, finite values, and the rules: ShapeError (too small), DomainError
/// naming the first bad row and column, or all constant columns.
///
/// Cost       one pass for each rule, in float64, in chunks: the memory of a few thousand rows.
CF_EXPORT void check_table(const Table& table, const TableRules& rules = {});

}  // namespace contraflow::data
