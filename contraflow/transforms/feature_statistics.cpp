#include "contraflow/transforms/feature_statistics.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow {

at::Tensor values_of_features(const at::Tensor& x) {
  return x.dim() == 2 ? x : x.movedim(1, -1).reshape({-1, x.size(1)});
}

namespace {

void check_two_rows(std::string_view where, const at::Tensor& x) {
  if (x.size(0) >= 2) return;
  fail<DomainError>(where, "x", "at least two rows to take a deviation from",
                    c10::str(x.size(0), " row"), "Initialise with a larger batch.");
}

FeatureStatistics statistics_of(const at::Tensor& values) {
  const at::Tensor wide = values.to(at::kDouble);
  return {wide.mean(0), wide.std(0, /*unbiased=*/true)};
}

}  // namespace

FeatureStatistics statistics_of_any_feature(std::string_view where, const at::Tensor& x) {
  check_two_rows(where, x);
  return statistics_of(values_of_features(x));
}

FeatureStatistics feature_statistics(std::string_view where, const at::Tensor& x) {
  check_two_rows(where, x);
  const at::Tensor values = values_of_features(x);
  const char* kind = x.dim() == 2 ? "column" : "channel";
  // Equality of the extremes, not a zero deviation: the mean of equal numbers is rounded.
  const at::Tensor low = values.amin(0);
  const at::Tensor constant = low.eq(values.amax(0)).nonzero().flatten();
  if (constant.numel() > 0) {
    const int64_t feature = constant[0].item<int64_t>();
    fail<DomainError>(
        where, "x", c10::str(kind, "s that vary"),
        c10::str("the constant ", low[feature].item<double>(), " in ", kind, " ", feature, " (",
                 constant.numel(), " constant in all)"),
        c10::str("Drop the ", kind, ", or add noise to it; ", kind, "s count from 0."));
  }
  return statistics_of(values);
}

}  // namespace contraflow
