#pragma once

#include <string>
#include <utility>
#include <vector>

#include "contraflow/data/cells.h"
#include "contraflow/data/npy_header.h"

namespace contraflow::data {

/// Decides what the values of arrays mean.
///
/// Threads    const: any thread.
/// Throws     ConfigError: see check_cell_readings().
/// Example    if (!cells.settle(value, column, type)) complain(cells.complaint(value, column, type));
class NpyCells {
 public:
  /// `columns` that are read; none for events.
  NpyCells(const FileOptions& options, const std::vector<std::string>& columns);

  /// Every finite value stands for itself, so that others need not be looked at.
  bool is_plain() const { return plain_; }
  /// Puts the class number in the place of a category. False where there is no value: `missing` says
  /// whether it is missing or wrong.
  bool settle(double& value, size_t column, const NpyType& type, bool& missing) const;
  /// What was expected, and what was got, of a value that settle() refused.
  std::pair<std::string, std::string> complaint(double value, size_t column,
                                                const NpyType& type) const;

 private:
  MissingMarks missing_;
  std::vector<Categories> categories_;  // none of columns that have none
  bool plain_ = true;
};

}  // namespace contraflow::data
