#pragma once

#include <string>
#include <vector>

#include "contraflow/data/columns.h"
#include "contraflow/data/data_options.h"

namespace contraflow::data {

/// Gives the columns that a table has, `names`, the meaning that `options` say: modelled, given or a
/// weight. `only_given` is a column that may be a condition or a label and is not modelled.
/// ConfigError: a column that does not exist, has two meanings, or none that is left to model.
Columns choose_columns(const std::vector<std::string>& names, const DataOptions& options,
                       const std::string& only_given = "");

}  // namespace contraflow::data
