#include "contraflow/log_det/grid_jacobian.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace contraflow {
namespace {

// Colours of the pixels along one axis: two of a colour are at least 2 radius + 1 apart.
class AxisColors {
 public:
  AxisColors(int64_t pixels, int64_t radius, bool circular)
      : pixels_(pixels), radius_(radius), circular_(circular) {
    const int64_t period = 2 * radius + 1;
    // Round a circle: as many stretches of nearly equal length, none shorter than a period.
    const int64_t stretches = std::max<int64_t>(1, circular ? pixels / period : 1);
    for (int64_t s = 0; s < stretches; ++s) {
      const int64_t begin = s * pixels / stretches, end = (s + 1) * pixels / stretches;
      for (int64_t at = begin; at < end; ++at)
        colors_.push_back(circular ? at - begin : at % period);
    }
    count_ = *std::max_element(colors_.begin(), colors_.end()) + 1;
  }

  int64_t count() const { return count_; }
  int64_t color(int64_t pixel) const { return colors_[static_cast<size_t>(pixel)]; }
  /// The only pixel of that colour within the radius of `pixel`; -1: none.
  int64_t seen(int64_t pixel, int64_t color) const {
    for (int64_t other = 0; other < pixels_; ++other) {
      if (this->color(other) == color && distance(pixel, other) <= radius_) return other;
    }
    return -1;
  }

 private:
  int64_t distance(int64_t a, int64_t b) const {
    const int64_t direct = std::abs(a - b);
    return circular_ ? std::min(direct, pixels_ - direct) : direct;
  }

  int64_t pixels_, radius_;
  bool circular_;
  std::vector<int64_t> colors_;
  int64_t count_ = 1;
};

class GridColoring {
 public:
  explicit GridColoring(const GridReach& reach)
      : reach_(reach),
        y_(reach.grid.height, reach.radius, circular(reach)),
        x_(reach.grid.width, reach.radius, circular(reach)) {}

  int64_t count() const { return y_.count() * x_.count() * reach_.channels; }

  /// [count, d]: the columns of each colour.
  at::Tensor tangents(const at::TensorOptions& options) const {
    std::vector<int64_t> colors;
    each_feature([&](int64_t channel, int64_t y, int64_t x) {
      colors.push_back(product(channel, y_.color(y), x_.color(x)));
    });
    const at::Tensor places =
        at::tensor(colors, at::kLong).to(options.device()).unsqueeze(0);  // [1, d]
    return at::zeros({count(), reach_.features()}, options).scatter_(0, places, 1.0);
  }

  /// For the entries that may not be 0: where they stand in the products [count, d] and in the
  /// Jacobian [d, d], both flat.
  struct Entries {
    std::vector<int64_t> product, jacobian;
  };
  Entries entries() const {
    const int64_t d = reach_.features(), width = reach_.grid.width;
    Entries out;
    int64_t row = 0;
    each_feature([&](int64_t /*channel*/, int64_t y, int64_t x) {
      for (const auto& [color_y, from_y] : visible(y_, y)) {
        for (const auto& [color_x, from_x] : visible(x_, x)) {
          for (int64_t c = 0; c < reach_.channels; ++c) {
            out.product.push_back(product(c, color_y, color_x) * d + row);
            out.jacobian.push_back(row * d + c * reach_.pixels() + from_y * width + from_x);
          }
        }
      }
      ++row;
    });
    return out;
  }

 private:
  static bool circular(const GridReach& reach) {
    return reach.grid.padding == ConvPadding::kCircular;
  }

  int64_t product(int64_t channel, int64_t color_y, int64_t color_x) const {
    return (color_y * x_.count() + color_x) * reach_.channels + channel;
  }

  // Colours and the pixels of theirs that a pixel sees.
  static std::vector<std::pair<int64_t, int64_t>> visible(const AxisColors& axis, int64_t pixel) {
    std::vector<std::pair<int64_t, int64_t>> out;
    for (int64_t color = 0; color < axis.count(); ++color) {
      const int64_t other = axis.seen(pixel, color);
      if (other >= 0) out.emplace_back(color, other);
    }
    return out;
  }

  template <class Call>
  void each_feature(Call call) const {
    for (int64_t c = 0; c < reach_.channels; ++c) {
      for (int64_t y = 0; y < reach_.grid.height; ++y) {
        for (int64_t x = 0; x < reach_.grid.width; ++x) call(c, y, x);
      }
    }
  }

  const GridReach& reach_;
  AxisColors y_, x_;
};

}  // namespace

int64_t grid_products(const GridReach& reach) { return GridColoring(reach).count(); }

at::Tensor grid_jacobian(const NetPoint& point, const GridReach& reach) {
  const at::TensorOptions options = point.value().options();
  const int64_t b = point.value().size(0), d = reach.features();
  const GridColoring coloring(reach);
  const at::Tensor products =
      jvp_of_each(point, coloring.tangents(options), b * reach.pixels());  // [count, b, d]
  const GridColoring::Entries entries = coloring.entries();
  const auto places = [&](const std::vector<int64_t>& of) {
    return at::tensor(of, at::kLong).to(options.device());
  };
  const at::Tensor values =
      products.transpose(0, 1).reshape({b, -1}).index_select(1, places(entries.product));
  return at::zeros({b, d * d}, options)
      .index_copy_(1, places(entries.jacobian), values)
      .view({b, d, d});
}

}  // namespace contraflow
