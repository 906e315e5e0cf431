#include "cli/plot/small_panels.h"

#include <algorithm>
#include <cmath>

namespace contraflow::plot {
namespace {

constexpr double kSmallAspect = 0.56;
constexpr double kSmallGap = 26.0;
constexpr double kSmallRowGap = 20.0;
constexpr double kSmallLegendGap = 6.0;

size_t panels_per_row(size_t count) {
  if (count <= 4) return count;
  return count == 5 || count == 6 || count == 9 ? 3 : 4;
}

double panel_width(size_t per_row) {
  return per_row == 1 ? 480.0 : per_row == 2 ? 330.0 : per_row == 3 ? 260.0 : 228.0;
}

}  // namespace

SmallPanels::SmallPanels(size_t count, double left)
    : count_(count),
      per_row_(panels_per_row(count)),
      left_(theme::kMargin + left),
      width_(panel_width(per_row_)),
      height_(std::round(kSmallAspect * width_)) {}

void SmallPanels::make_room(double below) { below_ = std::max(below_, below); }

void SmallPanels::put_below(double top, std::vector<LegendEntry> legend) {
  legend_ = std::move(legend);
  legend_top_ = top;
  top_ = top + legend_height(legend_, row_width()) + kSmallLegendGap;
}

double SmallPanels::row_width() const {
  return static_cast<double>(per_row_) * (width_ + kSmallGap) - kSmallGap;
}

double SmallPanels::row_pitch() const { return kPanelTitleSpace + height_ + below_ + kSmallRowGap; }

Rect SmallPanels::area(size_t k) const {
  const double column = static_cast<double>(k % per_row_);
  const double row = static_cast<double>(k / per_row_);
  return {left_ + column * (width_ + kSmallGap), top_ + row * row_pitch() + kPanelTitleSpace,
          width_, height_};
}

double SmallPanels::canvas_width() const { return left_ + row_width() + theme::kMargin; }

double SmallPanels::canvas_height() const {
  const double rows = static_cast<double>((count_ + per_row_ - 1) / per_row_);
  return top_ + rows * row_pitch() - kSmallRowGap + theme::kMargin;
}

void SmallPanels::draw_legend_on(Canvas& canvas) const {
  draw_legend(canvas, {left_, legend_top_}, row_width(), legend_);
}

}  // namespace contraflow::plot
