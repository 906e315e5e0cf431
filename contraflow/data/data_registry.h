#pragma once

#include <functional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/dataset.h"

namespace contraflow::data {

/// One kind of data that `data.name` can stand for.
struct DataEntry {
  std::string name;     ///< Value of data.name; for files a word for lists.
  std::string kind;     ///< "toy density", for messages.
  std::string summary;  ///< One line for lists and docs.
  std::string source;   ///< Paper or origin; empty when there is none.
  /// How a path looks that it opens, for lists; empty where data.name is `name`.
  std::string path = {};
  /// Keys of [data] that it takes; every entry takes the name, the sizes of the parts and the seed.
  std::vector<std::string> options = {};
  /// Whether it opens this data.name.
  std::function<bool(const std::string& name)> takes;
  /// Opens it; only the options that it takes differ from their defaults.
  std::function<Dataset(const DataOptions& options, at::ScalarType dtype, const KnownData* known)>
      open;

  bool is_builtin() const { return path.empty(); }
};

/// Every kind of data there is, in the order of the docs: toy densities, digits, tables and arrays,
/// images.
CF_EXPORT const std::vector<DataEntry>& data_registry();

/// The entry that opens `name`. ConfigError: no built-in name and no file's ending (with the nearest
/// match); IoError: no such file, a folder without images.
CF_EXPORT const DataEntry& find_data(const std::string& name);

}  // namespace contraflow::data
