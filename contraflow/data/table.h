#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/rng.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

/// Named columns of numbers.
struct Table {
  std::vector<std::string> columns;
  at::Tensor rows;     ///< [N, D] float64.
  std::string source;  ///< The file's name, for messages.
};

/// Reads a whole file; see open_rows for formats and errors. Events of several dimensions are
/// flattened into columns value_0, value_1, ...
Table read_table(const std::filesystem::path& path, const FileOptions& options = {});

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
void check_table(const Table& table, const TableRules& rules = {});

/// How many rows go where. Rows, where given, take precedence over the fraction. A fraction above 0
/// is at least one row.
struct SplitSizes {
  double validation_fraction = 0.1;
  double test_fraction = 0.1;
  std::optional<int64_t> validation_rows = {};
  std::optional<int64_t> test_rows = {};
};

/// Row numbers of each part (int64): a random permutation cut in three. Together they are
/// 0 .. count - 1, each once.
struct SplitRows {
  at::Tensor train, validation, test;
};

/// ConfigError when nothing is left for training. Same rng and sizes give the same parts; the test
/// rows depend on rng and their own number only.
SplitRows split_rows(int64_t count, const SplitSizes& sizes, const Rng& rng);

}  // namespace contraflow::data
