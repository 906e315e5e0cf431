// Legends: marks and texts in rows that wrap.
#include <algorithm>
#include <vector>

#include "cli/plot/panel.h"

namespace contraflow::plot {
namespace {

constexpr double kRowHeight = 19.0;
constexpr double kSwatchWidth = 22.0;
constexpr double kSwatchGap = 7.0;
constexpr double kEntryGap = 22.0;

/// Width of the mark with the gap after it.
double mark_width(const LegendEntry& entry) {
  return entry.swatch == Swatch::kNone ? 0.0 : kSwatchWidth + kSwatchGap;
}

/// Entry with the place of its upper left corner relative to the legend.
struct Placed {
  Point at;
  std::string text;
};

std::vector<Placed> place(const std::vector<LegendEntry>& entries, double width) {
  std::vector<Placed> placed;
  double x = 0.0;
  double y = 0.0;
  for (const LegendEntry& entry : entries) {
    const std::string text = ellipsized(entry.text, tick_style(), width - mark_width(entry));
    const double taken = mark_width(entry) + text_width(text, tick_style());
    if (x > 0.0 && x + taken > width) {
      x = 0.0;
      y += kRowHeight;
    }
    placed.push_back({{x, y}, text});
    x += taken + kEntryGap;
  }
  return placed;
}

void draw_swatch(Canvas& canvas, Point left, const LegendEntry& entry) {
  const Point right{left.x + kSwatchWidth, left.y};
  const Point middle{left.x + 0.5 * kSwatchWidth, left.y};
  switch (entry.swatch) {
    case Swatch::kNone:
      return;
    case Swatch::kLine:
      canvas.line(left, right, {.color = entry.color, .width = 2.2});
      return;
    case Swatch::kDash:
      canvas.line(left, right, {.color = entry.color, .width = 1.6, .dashed = true});
      return;
    case Swatch::kMarker:
      canvas.line(left, right, {.color = entry.color, .width = 1.6});
      canvas.disc(middle, 3.4, entry.color);
      return;
    case Swatch::kRing:
      canvas.ring(middle, 5.0, {.color = entry.color, .width = 1.8});
      return;
    case Swatch::kDot:
      canvas.disc(middle, 2.4, entry.color);
      return;
    case Swatch::kBox:
      canvas.fill({left.x + 3.0, left.y - 5.0, kSwatchWidth - 6.0, 10.0}, entry.color);
      return;
  }
}

}  // namespace

double legend_height(const std::vector<LegendEntry>& entries, double width) {
  return entries.empty() ? 0.0 : place(entries, width).back().at.y + kRowHeight;
}

void draw_legend(Canvas& canvas, Point top_left, double width,
                 const std::vector<LegendEntry>& entries) {
  const std::vector<Placed> placed = place(entries, width);
  for (size_t i = 0; i < entries.size(); ++i) {
    const Point left{top_left.x + placed[i].at.x, top_left.y + placed[i].at.y + 0.5 * kRowHeight};
    draw_swatch(canvas, left, entries[i]);
    canvas.text({left.x + mark_width(entries[i]), left.y}, placed[i].text, tick_style());
  }
}

}  // namespace contraflow::plot
