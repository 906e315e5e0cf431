#pragma once

#include <vector>

#include "contraflow/data/data_registry.h"

/// The parts of data_registry(), each in a file of its own.
namespace contraflow::data::detail {

std::vector<DataEntry> toy_entries();  ///< One for each density of toy.h.
DataEntry digits_entry();
DataEntry csv_entry();
DataEntry npy_entry();

}  // namespace contraflow::data::detail
