#pragma once

#include <cstddef>
#include <vector>

#include "cli/plot/panel.h"

namespace contraflow::plot {

/// Places of equal panels in rows below a legend, one for each column of a table. Few panels are
/// larger, so that a figure never is a stamp.
class SmallPanels {
 public:
  /// `left` is what the first panel of a row needs on its left.
  explicit SmallPanels(size_t count, double left = 0.0);

  double width() const { return width_; }
  /// What some panel needs below its frame.
  void make_room(double below);
  /// The legend begins at `top`, the panels below it.
  void put_below(double top, std::vector<LegendEntry> legend);

  Rect area(size_t k) const;
  bool is_first_of_row(size_t k) const { return k % per_row_ == 0; }
  double canvas_width() const;
  double canvas_height() const;
  void draw_legend_on(Canvas& canvas) const;

 private:
  double row_width() const;
  double row_pitch() const;

  size_t count_, per_row_;
  double left_, width_, height_;
  double below_ = 0.0, legend_top_ = 0.0, top_ = 0.0;
  std::vector<LegendEntry> legend_ = {};
};

}  // namespace contraflow::plot
