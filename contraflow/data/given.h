#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <string_view>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"

namespace contraflow::data {

/// One condition [1, columns.condition_size()], float64, from the values of its columns by name:
/// numbers, and the class of the label. Undefined where the columns have no condition.
///
/// Throws     ConfigError (a column that is missing or unknown, with the nearest name), DomainError
///            (a label that is no class). `where` starts the text.
/// Example    const at::Tensor three = condition_of(model.columns, {{"label", 3}});
CF_EXPORT at::Tensor condition_of(const Columns& columns,
                                  const std::map<std::string, double>& values,
                                  std::string_view where = "condition");

}  // namespace contraflow::data
