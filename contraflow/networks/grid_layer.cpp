#include "contraflow/networks/grid_layer.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow {

GridLayer::GridLayer(const EventShape& image, Direction direction)
    : image_(image), direction_(direction) {
  if (image_.sizes().size() == 3) return;
  fail<ConfigError>("GridLayer", "image", "[channels, height, width]", image_.text(),
                    "Events that are rows need no grid.");
}

// Axes before the event's, batch or probes and batch, stay.
at::Tensor GridLayer::grid_of(const at::Tensor& rows) const {
  std::vector<int64_t> sizes = rows.sizes().vec();
  sizes.pop_back();
  sizes.insert(sizes.end(), image_.sizes().begin(), image_.sizes().end());
  return rows.reshape(sizes).movedim(-3, -1).contiguous();
}

at::Tensor GridLayer::rows_of(const at::Tensor& grid) const {
  return grid.movedim(-1, -3).flatten(-3, -1).contiguous();
}

at::Tensor GridLayer::value(const Tape& /*tape*/, const at::Tensor& a) const {
  return to_grid() ? grid_of(a) : rows_of(a);
}

at::Tensor GridLayer::vjp(const Tape& /*tape*/, const at::Tensor& u) const {
  return to_grid() ? rows_of(u) : grid_of(u);
}

Dual GridLayer::dual_reverse(const Tape& tape, const Dual& top, GradientMap& /*gradients*/,
                             at::Tensor& /*condition_gradient*/) const {
  Dual down;
  if (top.value.defined()) down.value = vjp(tape, top.value);
  if (top.tangent.defined()) down.tangent = vjp(tape, top.tangent);
  return down;
}

}  // namespace contraflow
