#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>
#include <vector>

namespace contraflow {

/// One value for all features (columns, channels), or one per feature, as a float64 tensor [C];
/// ConfigError for any other number of values. Constants from options stay float64, so that a
/// float64 model sees 0.1 and not its float32 neighbour.
at::Tensor per_feature(std::string_view where, std::string_view name,
                       const std::vector<double>& values, int64_t features);

/// DomainError naming the value and place (row and column, or row and [channel, y, x]) of the first
/// true entry of `bad`, which has the shape of x, if any.
void check_none_bad(std::string_view where, const at::Tensor& x, const at::Tensor& bad,
                    std::string_view expected, std::string_view remedy);

}  // namespace contraflow
