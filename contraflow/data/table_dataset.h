#pragma once

#include <vector>

#include "contraflow/data/dataset.h"
#include "contraflow/data/table.h"

namespace contraflow::data {

/// Shape [channels, height, width] of the images that events of this shape are; empty where they are
/// none. ConfigError: options.image of another number of pixels.
std::vector<int64_t> image_of(const DataOptions& options, const std::vector<int64_t>& event_shape);

/// Data that are rows in memory: checks the columns to be modelled, cuts the rows into parts by
/// options.seed, and says what is known about the events.
///
/// Shapes     table.rows: [N, columns.to_read().size()]; `event_shape` has as many numbers as there
///            are columns to be modelled.
/// Types      what is modelled stays in memory as the table has it, unless `dtype` is no larger.
/// Throws     as open_data().
Dataset table_dataset(const Table& table, const Columns& columns,
                      const std::vector<int64_t>& event_shape, const DataOptions& options,
                      at::ScalarType dtype);

}  // namespace contraflow::data
