#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"

namespace contraflow::data {

/// Throws DomainError naming row and place of the first value that a model of these columns has no
/// density for: not an integer level, or outside of the bounds. x: [B, event...].
CF_EXPORT void check_domain(const at::Tensor& x, const Columns& columns, const std::string& source,
                            int64_t first_row);

/// Mask [B] of the rows that have such a value.
CF_EXPORT at::Tensor outside_domain(const at::Tensor& x, const Columns& columns);

}  // namespace contraflow::data
