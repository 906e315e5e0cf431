#pragma once

#include <string>
#include <vector>

#include "contraflow/data/data_registry.h"

/// The parts of data_registry(), each in a file of its own.
namespace contraflow::data::detail {

std::vector<DataEntry> toy_entries();  ///< One for each density of toy.h.
DataEntry digits_entry();
DataEntry digits_images_entry();
std::vector<DataEntry> image_file_entries();

/// ConfigError unless the keys of [data] that are not among `keys`, and not taken by all, have their
/// defaults. `kind` is that of the entry.
void check_taken(const std::string& kind, const std::vector<std::string>& keys,
                 const DataOptions& options);
DataEntry csv_entry();
DataEntry npy_entry();

}  // namespace contraflow::data::detail
