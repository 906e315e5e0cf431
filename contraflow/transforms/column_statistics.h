#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace contraflow {

/// Mean and standard deviation (divisor n - 1) of each column, float64.
struct ColumnStatistics {
  at::Tensor mean;       ///< [D]
  at::Tensor deviation;  ///< [D], positive
};

/// Statistics of x [B, D] for a data-dependent initialisation.
/// Throws DomainError when there are fewer than two rows, or a column is constant (named).
ColumnStatistics column_statistics(std::string_view where, const at::Tensor& x);

}  // namespace contraflow
