#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "contraflow/data/cells.h"
#include "contraflow/data/csv_records.h"

namespace contraflow::data {

enum class CellState { kValue, kMissing, kUnreadable };

/// What is wrong with a cell, in the parts of a message.
struct Complaint {
  std::string expected;
  std::string got;
  std::string remedy;
};

/// Reads the cells of the columns of a CSV file, each by its kind.
///
/// Threads    one thread at a time.
/// Throws     ConfigError: a reading for a column that the file does not have, categories where there
///            should be none.
/// Example    if (cells.read(field, column, value) == CellState::kValue) use(value);
class CsvCells {
 public:
  CsvCells(const FileOptions& options, CsvRecords& records);

  /// `field` without the spaces around it; `column` of the file.
  CellState read(std::string_view field, size_t column, double& value);
  /// Why read() gave no value.
  Complaint complaint(std::string_view field, size_t column);
  /// A cell of the column is a number unless it is missing, without marks that are numbers.
  bool is_plain(size_t column) const;

 private:
  struct Column {
    CellKind kind = CellKind::kNumber;
    Categories categories{{}};
  };

  CellState read_value(std::string_view field, const Column& column, double& value);

  CsvRecords& records_;
  MissingMarks missing_;
  std::vector<Column> columns_;
};

/// ConfigError: categories of a column that has none, or none of one that needs them.
void check_cell_readings(const FileOptions& options);

}  // namespace contraflow::data
