#pragma once

#include "contraflow/data/dataset.h"
#include "contraflow/data/table.h"

namespace contraflow::data {

/// Columns to read of a table besides those of a model.
struct SplitColumn {
  SplitBy by = SplitBy::kRow;
  std::string name = "";  ///< Of kGroup and kTime.
};

/// Data that are a table of columns: decides what each column is, sets absurd rows aside, splits the
/// rows by their values, and standardises by those of the training. Of `known` data all that was
/// decided stays.
///
/// Shapes     table: columns.to_read() and split.name, by name.
/// Types      batches in float64.
/// Throws     as open_data().
/// Cost       a few passes in float64, and a sort of each column.
Dataset column_dataset(const Table& table, const Columns& columns, const SplitColumn& split,
                       const DataOptions& options, const KnownData* known);

}  // namespace contraflow::data
