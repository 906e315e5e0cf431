#include "contraflow/networks/conv_taps.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <vector>

#include "contraflow/core/parallel.h"

namespace contraflow {
namespace {

// For each place and tap along an axis, the place that is read; -1 for zeros.
std::vector<int64_t> places_read(int64_t size, int64_t kernel, ConvPadding padding) {
  std::vector<int64_t> out;
  out.reserve(static_cast<size_t>(size * kernel));
  for (int64_t place = 0; place < size; ++place) {
    for (int64_t tap = 0; tap < kernel; ++tap) {
      const int64_t from = place + tap - (kernel - 1) / 2;
      const bool inside = from >= 0 && from < size;
      const int64_t wrapped = (from % size + size) % size;
      out.push_back(inside || padding == ConvPadding::kCircular ? wrapped : -1);
    }
  }
  return out;
}

struct TapGrid {
  TapGrid(const at::Tensor& a, int64_t side, ConvPadding padding)
      : events(a.size(0)),
        height(a.size(1)),
        width(a.size(2)),
        channels(a.size(3)),
        kernel(side),
        rows_read(places_read(height, side, padding)),
        columns_read(places_read(width, side, padding)) {}

  // Calls `visit(pixel, read)` for each tap of an event in order: offsets of numbers in the event's
  // taps and in its grid, -1 for zeros.
  template <class Visit>
  void for_each_tap(const Visit& visit) const {
    int64_t at = 0;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        for (int64_t dy = 0; dy < kernel; ++dy) {
          const int64_t row = rows_read[static_cast<size_t>(y * kernel + dy)];
          for (int64_t dx = 0; dx < kernel; ++dx, at += channels) {
            const int64_t column = columns_read[static_cast<size_t>(x * kernel + dx)];
            visit(at, row < 0 || column < 0 ? -1 : (row * width + column) * channels);
          }
        }
      }
    }
  }

  int64_t grid_numbers() const { return height * width * channels; }
  int64_t tap_numbers() const { return grid_numbers() * kernel * kernel; }
  template <class Body>
  void for_each_event(const Body& body) const {
    constexpr int64_t kRange = 16384;  // numbers: some 10 us
    parallel_for(0, events, kRange / std::max<int64_t>(1, tap_numbers()) + 1,
                 [&](int64_t begin, int64_t end) {
                   for (int64_t n = begin; n < end; ++n) body(n);
                 });
  }

  int64_t events, height, width, channels, kernel;
  std::vector<int64_t> rows_read, columns_read;
};

template <class T>
void gather(const TapGrid& grid, const T* from, T* to) {
  grid.for_each_event([&](int64_t n) {
    const T* a = from + n * grid.grid_numbers();
    T* taps = to + n * grid.tap_numbers();
    const int64_t c = grid.channels;
    grid.for_each_tap([&](int64_t at, int64_t read) {
      if (read < 0) {
        std::fill_n(taps + at, c, T(0));
      } else {
        std::copy_n(a + read, c, taps + at);
      }
    });
  });
}

template <class T>
void scatter(const TapGrid& grid, const T* from, T* to) {
  grid.for_each_event([&](int64_t n) {
    const T* taps = from + n * grid.tap_numbers();
    T* sum = to + n * grid.grid_numbers();
    const int64_t c = grid.channels;
    grid.for_each_tap([&](int64_t at, int64_t read) {
      if (read < 0) return;
      for (int64_t k = 0; k < c; ++k) sum[read + k] += taps[at + k];
    });
  });
}

}  // namespace

at::Tensor gather_taps(const at::Tensor& a, int64_t kernel, ConvPadding padding) {
  const TapGrid grid(a, kernel, padding);
  const at::Tensor out = at::empty(
      {grid.events * grid.height * grid.width, kernel * kernel * grid.channels}, a.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "gather_taps", [&] {
    gather(grid, a.const_data_ptr<scalar_t>(), out.data_ptr<scalar_t>());
  });
  return out;
}

void scatter_taps(const at::Tensor& taps, int64_t kernel, ConvPadding padding,
                  const at::Tensor& sum) {
  const TapGrid grid(sum, kernel, padding);
  AT_DISPATCH_FLOATING_TYPES(taps.scalar_type(), "scatter_taps", [&] {
    scatter(grid, taps.const_data_ptr<scalar_t>(), sum.data_ptr<scalar_t>());
  });
}

}  // namespace contraflow
