#pragma once

namespace contraflow::plot {

/// Interval of one axis; lo < hi unless a function says that it repairs it.
struct Range {
  double lo = 0.0;
  double hi = 1.0;
  double width() const { return hi - lo; }
};

/// Position on a canvas in points: x to the right, y downwards.
struct Point {
  double x = 0.0;
  double y = 0.0;
};

/// Rectangle on a canvas in points; (x, y) is its upper left corner.
struct Rect {
  double x = 0.0;
  double y = 0.0;
  double width = 0.0;
  double height = 0.0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

}  // namespace contraflow::plot
