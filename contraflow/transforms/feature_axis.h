#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/core/event_shape.h"
#include "contraflow/core/export.h"

namespace contraflow {

/// How an elementwise map with one set of parameters per feature (the columns of a row, the channels
/// of an image) meets a batch of events: broadcasting, and the sum of the log-slopes.
///
/// Shapes   parameters: [C], C = event.features(); x: [B, event].
class CF_EXPORT FeatureAxis {
 public:
  explicit FeatureAxis(const EventShape& event);
  /// Parameters for each number of an event, its pixels as well: C = event.size().
  static FeatureAxis of_numbers(const EventShape& event);

  /// C.
  int64_t count() const { return count_; }
  /// The parameters with a size of 1 for each further axis of the event: [C, 1, 1] for an image;
  /// those of numbers in the shape of the event.
  at::Tensor view(const at::Tensor& parameters_c) const;
  /// log|det| of the map, [B]: each feature's log-slope counts once for every pixel.
  at::Tensor log_det(const at::Tensor& log_slope_c, int64_t batch) const;

 private:
  FeatureAxis(int64_t count, int64_t pixels, std::vector<int64_t> view);

  int64_t count_;
  int64_t pixels_;
  std::vector<int64_t> view_;
};

}  // namespace contraflow
