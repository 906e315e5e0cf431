#include "contraflow/data/npy_cells.h"

#include <cmath>

#include "contraflow/core/text.h"
#include "contraflow/data/csv_cells.h"

namespace contraflow::data {

NpyCells::NpyCells(const FileOptions& options, const std::vector<std::string>& columns)
    : missing_(options.missing) {
  check_cell_readings(options);
  plain_ = !missing_.has_numbers();
  for (const std::string& name : columns) {
    const auto found = options.cells.find(name);
    const bool category = found != options.cells.end() && !found->second.categories.empty();
    categories_.emplace_back(category ? found->second.categories : std::vector<std::string>());
    plain_ = plain_ && !category;
  }
}

bool NpyCells::settle(double& value, size_t column, const NpyType& type, bool& missing) const {
  missing = false;
  if (column < categories_.size() && !categories_[column].texts().empty()) {
    const auto number = categories_[column].find(value);
    if (number) value = *number;
    if (number) return true;
  }
  missing = missing_.matches(value) || (std::isnan(value) && type.kind == 'f');
  return !missing && std::isfinite(value) &&
         (column >= categories_.size() || categories_[column].texts().empty());
}

std::pair<std::string, std::string> NpyCells::complaint(double value, size_t column,
                                                        const NpyType& type) const {
  if (missing_.matches(value)) return {"a value", "a missing value '" + shortest(value) + "'"};
  if (std::isnan(value) && type.kind != 'f') {
    return {"integers within 2^53, which float64 holds exactly", "a larger one"};
  }
  if (column < categories_.size() && !categories_[column].texts().empty() && !std::isnan(value)) {
    return {"one of " + shorten(join(categories_[column].texts(), ", "), 200), shortest(value)};
  }
  return {"a finite value", shortest(value)};
}

}  // namespace contraflow::data
