#include "cli/plot/panel.h"

#include <algorithm>
#include <cmath>

namespace contraflow::plot {
namespace {

constexpr double kTickLength = 4.0;
constexpr double kTickGap = 5.0;   // from the tick mark to its text
constexpr double kLabelGap = 9.0;  // from tick texts to the axis label
constexpr double kTextGap = 12.0;  // least distance of neighbouring tick texts

/// Texts apart from each other, and not far beyond the ends of the axis.
bool texts_fit(const Ticks& ticks, const Range& range, double length) {
  constexpr double kMostOverhang = 14.0;
  const double scale = length / range.width();
  if (widest(ticks.labels, tick_style()) + kTextGap > scale * ticks.step) return false;
  if (ticks.values.empty()) return true;
  const double left = (ticks.values.front() - range.lo) * scale;
  const double right = (range.hi - ticks.values.back()) * scale;
  return 0.5 * text_width(ticks.labels.front(), tick_style()) <= left + kMostOverhang &&
         0.5 * text_width(ticks.labels.back(), tick_style()) <= right + kMostOverhang;
}

/// As many ticks as fit; texts get shorter where few would fit.
Ticks horizontal_ticks(Range range, double length) {
  constexpr size_t kEnough = 3;
  const int most = std::clamp(static_cast<int>(length / 36.0), 3, 9);
  for (const Notation notation : {Notation::kPlain, Notation::kShort}) {
    for (int count = most; count > 2; --count) {
      Ticks ticks = nice_ticks(range, count, notation);
      if (ticks.values.size() >= kEnough && texts_fit(ticks, range, length)) return ticks;
    }
  }
  return nice_ticks(range, 2, Notation::kShort);
}

double cap_height(double size) { return 0.73 * size; }

}  // namespace

TextStyle tick_style() { return {.size = theme::kTickSize, .color = theme::kSoftInk}; }
TextStyle label_style() { return {.size = theme::kLabelSize, .color = theme::kInk}; }

double widest(const std::vector<std::string>& texts, const TextStyle& style) {
  double width = 0.0;
  for (const std::string& text : texts) width = std::max(width, text_width(text, style));
  return width;
}

Ticks vertical_ticks(Range range, double length) {
  return nice_ticks(range, std::clamp(static_cast<int>(length / 36.0), 3, 9));
}

Panel::Panel(const Rect& area, Range x, Range y)
    : area_(area),
      x_(usable_range(x)),
      y_(usable_range(y)),
      x_ticks_(horizontal_ticks(x_, area.width)),
      y_ticks_(vertical_ticks(y_, area.height)) {}

void Panel::draw_ground(Canvas& canvas) const { canvas.fill(area_, theme::kPanel); }

void Panel::draw_grid(Canvas& canvas) const {
  const Stroke thin{.color = theme::kGrid, .width = 0.8};
  for (const double x : x_ticks_.values) {
    canvas.line({at_x(x), area_.y}, {at_x(x), area_.bottom()}, thin);
  }
  for (const double y : y_ticks_.values) {
    canvas.line({area_.x, at_y(y)}, {area_.right(), at_y(y)}, thin);
  }
}

void Panel::draw_axes(Canvas& canvas, std::string_view x_label, std::string_view y_label,
                      AxisDetail x, AxisDetail y) const {
  const Stroke mark{.color = theme::kFrame, .width = 1.0};
  canvas.frame(area_, mark);
  TextStyle below = tick_style();
  below.horizontal = Align::kMiddle;
  below.vertical = Align::kStart;
  for (size_t i = 0; x != AxisDetail::kNone && i < x_ticks_.values.size(); ++i) {
    const Point at{at_x(x_ticks_.values[i]), area_.bottom()};
    canvas.line(at, {at.x, at.y + kTickLength}, mark);
    if (x == AxisDetail::kTexts)
      canvas.text({at.x, at.y + kTickLength + kTickGap}, x_ticks_.labels[i], below);
  }
  TextStyle left = tick_style();
  left.horizontal = Align::kEnd;
  for (size_t i = 0; y != AxisDetail::kNone && i < y_ticks_.values.size(); ++i) {
    const Point at{area_.x, at_y(y_ticks_.values[i])};
    canvas.line(at, {at.x - kTickLength, at.y}, mark);
    if (y == AxisDetail::kTexts)
      canvas.text({at.x - kTickLength - kTickGap, at.y}, y_ticks_.labels[i], left);
  }
  draw_labels(canvas, x == AxisDetail::kTexts ? x_label : "",
              y == AxisDetail::kTexts ? y_label : "");
}

void Panel::draw_labels(Canvas& canvas, std::string_view x_label, std::string_view y_label) const {
  TextStyle label = label_style();
  label.horizontal = Align::kMiddle;
  label.vertical = Align::kEnd;
  canvas.text({area_.x + 0.5 * area_.width, area_.bottom() + bottom_space(x_label)},
              ellipsized(x_label, label, area_.width), label);
  label.upwards = true;
  label.vertical = Align::kStart;
  canvas.text({area_.x - left_space(y_, area_.height, y_label), area_.y + 0.5 * area_.height},
              ellipsized(y_label, label, area_.height), label);
}

void Panel::draw_title(Canvas& canvas, std::string_view title, std::string_view note) const {
  TextStyle bold{.size = theme::kPanelTitleSize, .bold = true, .color = theme::kInk};
  bold.vertical = Align::kEnd;
  TextStyle soft = tick_style();
  soft.vertical = Align::kEnd;
  soft.horizontal = Align::kEnd;
  const double baseline = area_.y - 8.0;
  const double shortest_title = std::min(text_width(title, bold), 0.5 * area_.width);
  const std::string shown =
      note.empty() ? "" : ellipsized(note, soft, area_.width - shortest_title - kTextGap);
  const double taken = shown.empty() ? 0.0 : text_width(shown, soft) + kTextGap;
  canvas.text({area_.x, baseline}, ellipsized(title, bold, area_.width - taken), bold);
  canvas.text({area_.right(), baseline}, shown, soft);
}

double left_space(Range y, double height, std::string_view y_label) {
  const double texts = widest(vertical_ticks(y, height).labels, tick_style());
  const double label = y_label.empty() ? 0.0 : kLabelGap + cap_height(theme::kLabelSize);
  // Whole points: frames and images beside it stay sharp.
  return std::ceil(kTickLength + kTickGap + texts + label);
}

double bottom_space(std::string_view x_label) {
  const double texts = kTickLength + kTickGap + cap_height(theme::kTickSize);
  return std::ceil(x_label.empty() ? texts : texts + kLabelGap + cap_height(theme::kLabelSize));
}

void draw_heading(Canvas& canvas, std::string_view title, std::string_view subtitle) {
  const double width = canvas.width() - 2.0 * theme::kMargin;
  TextStyle bold{.size = theme::kTitleSize, .bold = true, .color = theme::kInk};
  bold.vertical = Align::kStart;
  canvas.text({theme::kMargin, theme::kMargin}, ellipsized(title, bold, width), bold);
  TextStyle soft{.size = theme::kLabelSize, .color = theme::kSoftInk};
  soft.vertical = Align::kEnd;
  canvas.text({theme::kMargin, heading_bottom(title, subtitle) - 18.0},
              ellipsized(subtitle, soft, width), soft);
}

double heading_bottom(std::string_view title, std::string_view subtitle) {
  const double title_height = title.empty() ? 0.0 : cap_height(theme::kTitleSize) + 18.0;
  const double subtitle_height = subtitle.empty() ? 0.0 : cap_height(theme::kLabelSize) + 13.0;
  return std::ceil(theme::kMargin + title_height + subtitle_height);
}

}  // namespace contraflow::plot
