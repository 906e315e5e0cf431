#pragma once

#include "contraflow/core/event_shape.h"
#include "contraflow/core/export.h"
#include "contraflow/networks/layer.h"

namespace contraflow {

/// The first or the last layer of a net on images: events are rows with the channels first, layers
/// work on grids with the features last. A permutation of numbers, so its constant is 1.
///
/// Shapes   rows [b, channels * height * width], grid [b, height, width, channels].
/// Types    as of the input; the output is contiguous.
/// Throws   ConfigError for an event that is not [channels, height, width].
class CF_EXPORT GridLayer final : public PointwiseLayer {
 public:
  enum class Direction { kToGrid, kToRows };

  GridLayer(const EventShape& image, Direction direction);

  int64_t inputs() const override { return to_grid() ? image_.size() : image_.features(); }
  int64_t outputs() const override { return to_grid() ? image_.features() : image_.size(); }
  double lipschitz() const override { return 1.0; }
  double curvature() const override { return 0.0; }

  void bind(Tape& /*tape*/, const at::Tensor& /*condition*/) const override {}
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override { return value(tape, a); }
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool /*keep*/) const override {
    return value(tape, t);
  }
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;

 private:
  bool to_grid() const { return direction_ == Direction::kToGrid; }
  at::Tensor grid_of(const at::Tensor& rows) const;
  at::Tensor rows_of(const at::Tensor& grid) const;

  EventShape image_;
  Direction direction_;
};

}  // namespace contraflow
