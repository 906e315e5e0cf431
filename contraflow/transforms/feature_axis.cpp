#include "contraflow/transforms/feature_axis.h"

#include <ATen/ATen.h>

namespace contraflow {

FeatureAxis::FeatureAxis(const EventShape& event)
    : count_(event.features()), pixels_(event.pixels()), view_(event.sizes().size(), 1) {
  view_.front() = count_;
}

FeatureAxis::FeatureAxis(int64_t count, int64_t pixels, std::vector<int64_t> view)
    : count_(count), pixels_(pixels), view_(std::move(view)) {}

FeatureAxis FeatureAxis::of_numbers(const EventShape& event) {
  return {event.size(), 1, event.sizes()};
}

at::Tensor FeatureAxis::view(const at::Tensor& parameters_c) const {
  return view_.size() == 1 ? parameters_c : parameters_c.view(view_);
}

at::Tensor FeatureAxis::log_det(const at::Tensor& log_slope_c, int64_t batch) const {
  const at::Tensor sum = log_slope_c.sum();
  return (pixels_ == 1 ? sum : sum * pixels_).repeat({batch});
}

}  // namespace contraflow
