#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace contraflow {

/// Mean and standard deviation (divisor n - 1) of each feature, float64.
struct FeatureStatistics {
  at::Tensor mean;       ///< [C]
  at::Tensor deviation;  ///< [C], positive
};

/// Statistics of x [B, C, ...] over all axes but the feature's, for a data-dependent
/// initialisation: of the columns of rows, of the channels of images.
/// Throws DomainError when there are fewer than two rows, or a feature is constant (named).
FeatureStatistics feature_statistics(std::string_view where, const at::Tensor& x);
/// The same where a feature may be constant: its deviation is then 0, up to rounding.
FeatureStatistics statistics_of_any_feature(std::string_view where, const at::Tensor& x);

/// x [B, C, ...] as the values of each feature, [B * pixels, C].
at::Tensor values_of_features(const at::Tensor& x);

}  // namespace contraflow
