#include "contraflow/networks/conv_frequencies.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace contraflow {
namespace {

ConvFrequencies::Axis axis_of(int64_t kernel, int64_t pixels, ConvPadding padding) {
  const int64_t radius = (kernel - 1) / 2;
  if (kernel == 1) return {.pixels = pixels};
  if (padding == ConvPadding::kCircular)
    return {pixels, 0, kernel, (kernel + pixels - 1) / pixels * pixels};
  const int64_t reach = std::min(radius, pixels - 1);
  // One pixel sees itself alone: no frequency then matters.
  return {pixels, radius - reach, 2 * reach + 1, reach == 0 ? 1 : pixels + reach};
}

GridPair mirrored(GridPair f, const ConvFrequencies::Axis& y, const ConvFrequencies::Axis& x) {
  return {(y.period - f.y) % y.period, (x.period - f.x) % x.period};
}

bool comes_first(GridPair a, GridPair b) { return a.y < b.y || (a.y == b.y && a.x <= b.x); }

// 2 pi (f d) / period, of the remainder: the rounding does not grow with f d.
double axis_angle(int64_t f, int64_t distance, int64_t period) {
  const int64_t remainder = (f * distance) % period;
  return 2 * std::numbers::pi * static_cast<double>(remainder) / static_cast<double>(period);
}

}  // namespace

ConvFrequencies::ConvFrequencies(int64_t kernel, const ConvGrid& grid)
    : y_(axis_of(kernel, grid.height, grid.padding)),
      x_(axis_of(kernel, grid.width, grid.padding)),
      circular_(grid.padding == ConvPadding::kCircular) {
  for (GridPair f; f.y < y_.period; ++f.y) {
    for (f.x = 0; f.x < x_.period; ++f.x) {
      if (comes_first(f, mirrored(f, y_, x_))) all_.push_back(f);
    }
  }
}

int64_t ConvFrequencies::place(GridPair f) const {
  const GridPair mirror = mirrored(f, y_, x_);
  const GridPair wanted = comes_first(f, mirror) ? f : mirror;
  const auto found = std::lower_bound(all_.begin(), all_.end(), wanted, [](GridPair a, GridPair b) {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
  });
  return found == all_.end() ? 0 : found - all_.begin();
}

at::Tensor ConvFrequencies::used(const at::Tensor& weight) const {
  return weight.narrow(2, y_.first, y_.taps).narrow(3, x_.first, x_.taps);
}

double ConvFrequencies::angle(GridPair f, GridPair distance) const {
  return axis_angle(f.y, distance.y, y_.period) + axis_angle(f.x, distance.x, x_.period);
}

at::Tensor ConvFrequencies::phases(GridPair f) const {
  at::Tensor out = at::empty({y_.taps, x_.taps}, at::kDouble);
  for (GridPair tap; tap.y < y_.taps; ++tap.y) {
    for (tap.x = 0; tap.x < x_.taps; ++tap.x)
      out.data_ptr<double>()[tap.y * x_.taps + tap.x] = angle(f, tap);
  }
  return at::complex(out.cos(), out.sin());
}

std::vector<GridPair> ConvFrequencies::lags() const {
  std::vector<GridPair> out;
  for (GridPair d; d.y < y_.taps; ++d.y) {
    for (d.x = d.y == 0 ? 0 : 1 - x_.taps; d.x < x_.taps; ++d.x) out.push_back(d);
  }
  return out;
}

ConvFrequencies::Waves ConvFrequencies::waves() const {
  const std::vector<GridPair> distances = lags();
  const int64_t columns = std::ssize(distances);
  at::Tensor out = at::empty({std::ssize(all_), columns}, at::kDouble);
  auto* to = out.data_ptr<double>();
  for (const GridPair& f : all_) {
    for (const GridPair& d : distances) *to++ = angle(f, d);
  }
  return {out.cos(), out.sin()};
}

}  // namespace contraflow
