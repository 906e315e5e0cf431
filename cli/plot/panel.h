#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/plot/axis.h"
#include "cli/plot/canvas.h"
#include "cli/plot/geometry.h"
#include "cli/plot/ticks.h"

namespace contraflow::plot {

enum class AxisDetail {
  kNone,   ///< Nothing.
  kMarks,  ///< Tick marks.
  kTexts,  ///< Tick marks, their texts, and the label of the axis.
};

/// One pair of axes on a rectangle of the canvas.
class Panel {
 public:
  /// Ranges are repaired by usable_range().
  Panel(const Rect& area, Range x, Range y);
  /// Ranges, and what at_x() and at_y() take, are places of the scales.
  Panel(const Rect& area, const Axis& x, const Axis& y);

  const Rect& area() const { return area_; }
  Range x_range() const { return x_; }
  Range y_range() const { return y_; }
  double at_x(double x) const { return area_.x + (x - x_.lo) / x_.width() * area_.width; }
  double at_y(double y) const { return area_.bottom() - (y - y_.lo) / y_.width() * area_.height; }
  Point at(double x, double y) const { return {at_x(x), at_y(y)}; }

  void draw_ground(Canvas& canvas) const;
  void draw_grid(Canvas& canvas) const;
  /// Frame, and outside it what `x` and `y` say.
  void draw_axes(Canvas& canvas, std::string_view x_label, std::string_view y_label,
                 AxisDetail x = AxisDetail::kTexts, AxisDetail y = AxisDetail::kTexts) const;
  /// Bold title above the frame on the left; `note` in normal type on the right, if there is room.
  void draw_title(Canvas& canvas, std::string_view title, std::string_view note = {}) const;

 private:
  void draw_x_texts(Canvas& canvas, std::string_view label) const;
  void draw_y_texts(Canvas& canvas, std::string_view label) const;

  Rect area_;
  Range x_;
  Range y_;
  Ticks x_ticks_;
  Ticks y_ticks_;
};

/// Free space a panel of this height needs to the left of its frame for y ticks and label.
double left_space(const Axis& y, double height, std::string_view y_label);
/// Free space below the frame of a panel of this width.
double bottom_space(const Axis& x, double width, std::string_view x_label);
/// Free space above the frame for Panel::draw_title().
inline constexpr double kPanelTitleSpace = 24.0;

/// How many texts a vertical axis of this length has room for.
int vertical_tick_count(double length);
/// Widest of the texts.
double widest(const std::vector<std::string>& texts, const TextStyle& style);
TextStyle tick_style();
TextStyle label_style();

/// Left-aligned title and subtitle on top of the figure, cut to its width.
void draw_heading(Canvas& canvas, std::string_view title, std::string_view subtitle);
/// y below which a figure with this heading may draw.
double heading_bottom(std::string_view title, std::string_view subtitle);

/// Mark before the text of a legend entry.
enum class Swatch { kNone, kLine, kDash, kMarker, kRing, kDot, kBox };
struct LegendEntry {
  std::string text = {};
  Color color = {};
  Swatch swatch = Swatch::kLine;
};
/// Height of the legend in lines that wrap at `width`; 0 without entries.
double legend_height(const std::vector<LegendEntry>& entries, double width);
void draw_legend(Canvas& canvas, Point top_left, double width,
                 const std::vector<LegendEntry>& entries);

}  // namespace contraflow::plot
