#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>
#include <vector>

namespace contraflow {

/// One value for all columns, or one per column, as a float64 tensor [D]; ConfigError for any other
/// number of values. Constants from options stay float64, so that a float64 model sees 0.1 and not
/// its float32 neighbour.
at::Tensor per_column(std::string_view where, std::string_view name,
                      const std::vector<double>& values, int64_t dim);

/// DomainError naming the value, row and column of the first true entry of `bad` [B, D], if any.
void check_none_bad(std::string_view where, const at::Tensor& x, const at::Tensor& bad,
                    std::string_view expected, std::string_view remedy);

}  // namespace contraflow
