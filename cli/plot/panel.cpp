#include "cli/plot/panel.h"

#include <algorithm>
#include <cmath>

namespace contraflow::plot {
namespace {

constexpr double kTickLength = 4.0;
constexpr double kTickGap = 5.0;   // from the tick mark to its text
constexpr double kLabelGap = 9.0;  // from tick texts to the axis label
constexpr double kTextGap = 12.0;  // least distance of neighbouring tick texts

constexpr double kNoteGap = 6.0;  // from tick texts to the note of the axis

/// Texts apart from each other, and not far beyond the ends of the axis.
bool texts_fit(const Ticks& ticks, const Axis& axis, double length) {
  const double overhang = axis.crowded ? 1.0 : 14.0;
  const double gap = axis.crowded ? 0.5 * kTextGap : kTextGap;
  const Range& range = axis.range;
  const double scale = length / range.width();
  std::vector<double> half;
  for (const std::string& text : ticks.labels) half.push_back(0.5 * text_width(text, tick_style()));
  for (size_t i = 0; i + 1 < half.size(); ++i) {
    const double apart = scale * (ticks.values[i + 1] - ticks.values[i]);
    if (half[i] + half[i + 1] + gap > apart) return false;
  }
  if (half.empty()) return true;
  const double left = (ticks.values.front() - range.lo) * scale;
  const double right = (range.hi - ticks.values.back()) * scale;
  return half.front() <= left + overhang && half.back() <= right + overhang;
}

bool lines_fit(const Ticks& ticks, const Axis& axis, double length) {
  constexpr double kLinePitch = 15.0;
  for (size_t i = 0; i + 1 < ticks.values.size(); ++i) {
    if (ticks.values[i + 1] - ticks.values[i] < kLinePitch * axis.range.width() / length)
      return false;
  }
  return true;
}

/// Without the texts at the ends that would reach into a neighbour; their marks stay.
Ticks without_overhang(Ticks ticks, const Axis& axis, double length) {
  const double scale = length / axis.range.width();
  for (size_t i = ticks.values.size(); i-- > 0;) {
    const double at = ticks.values[i];
    const double room = scale * std::min(at - axis.range.lo, axis.range.hi - at);
    if (0.5 * text_width(ticks.labels[i], tick_style()) <= room + 1.0) continue;
    ticks.minor.push_back(at);
    ticks.values.erase(ticks.values.begin() + static_cast<std::ptrdiff_t>(i));
    ticks.labels.erase(ticks.labels.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return ticks;
}

using Fits = bool (*)(const Ticks& ticks, const Axis& axis, double length);

/// Every second of the ticks, from the first on.
Ticks thinned(const Ticks& ticks) {
  Ticks out = ticks;
  out.values.clear();
  out.labels.clear();
  for (size_t k = 0; k < ticks.values.size(); k += 2) {
    out.values.push_back(ticks.values[k]);
    out.labels.push_back(ticks.labels[k]);
  }
  return out;
}

/// As many ticks as fit, if there are three such; else two that fit, else as many as do.
Ticks fitting_ticks(const Axis& axis, double length, int most, Fits fits) {
  std::vector<Ticks> choices = tick_choices(axis, most);
  if (axis.crowded && fits == texts_fit) {
    for (Ticks& ticks : choices) ticks = without_overhang(std::move(ticks), axis, length);
  }
  for (const size_t enough : {3U, 2U}) {
    for (const Ticks& ticks : choices) {
      if (ticks.values.size() >= enough && fits(ticks, axis, length)) return ticks;
    }
  }
  Ticks last = choices.back();
  while (last.values.size() > 1 && !fits(last, axis, length)) last = thinned(last);
  return last;
}

Ticks horizontal_ticks(const Axis& axis, double length) {
  const double least = axis.crowded ? 20.0 : 36.0;
  const int most = std::clamp(static_cast<int>(length / least), 3, 9);
  return fitting_ticks(axis, length, most, texts_fit);
}

Ticks vertical_ticks(const Axis& axis, double length) {
  const int most = vertical_tick_count(axis.crowded ? 1.5 * length : length);
  return fitting_ticks(axis, length, most, lines_fit);
}

double cap_height(double size) { return 0.73 * size; }

/// Whole points: frames and images beside it stay sharp.
double space_left(const Ticks& ticks, std::string_view label) {
  const double texts = kTickLength + kTickGap + widest(ticks.labels, tick_style());
  const double note = ticks.note.empty() ? 0.0 : kNoteGap + cap_height(theme::kTickSize);
  return std::ceil(texts + note +
                   (label.empty() ? 0.0 : kLabelGap + cap_height(theme::kLabelSize)));
}

double space_below(const Ticks& ticks, std::string_view label) {
  const double texts = kTickLength + kTickGap + cap_height(theme::kTickSize);
  const double note = ticks.note.empty() ? 0.0 : kNoteGap + cap_height(theme::kTickSize);
  return std::ceil(texts + note +
                   (label.empty() ? 0.0 : kLabelGap + cap_height(theme::kLabelSize)));
}

}  // namespace

TextStyle tick_style() { return {.size = theme::kTickSize, .color = theme::kSoftInk}; }
TextStyle label_style() { return {.size = theme::kLabelSize, .color = theme::kInk}; }

double widest(const std::vector<std::string>& texts, const TextStyle& style) {
  double width = 0.0;
  for (const std::string& text : texts) width = std::max(width, text_width(text, style));
  return width;
}

int vertical_tick_count(double length) { return std::clamp(static_cast<int>(length / 36.0), 3, 9); }

Panel::Panel(const Rect& area, Range x, Range y) : Panel(area, Axis(x), Axis(y)) {}

Panel::Panel(const Rect& area, const Axis& x, const Axis& y)
    : area_(area),
      x_(x.range),
      y_(y.range),
      x_ticks_(horizontal_ticks(x, area.width)),
      y_ticks_(vertical_ticks(y, area.height)) {}

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
  if (x != AxisDetail::kNone) {
    for (const double value : x_ticks_.values) {
      canvas.line({at_x(value), area_.bottom()}, {at_x(value), area_.bottom() + kTickLength}, mark);
    }
    for (const double value : x_ticks_.minor) {
      canvas.line({at_x(value), area_.bottom()}, {at_x(value), area_.bottom() + 2.0}, mark);
    }
  }
  if (y != AxisDetail::kNone) {
    for (const double value : y_ticks_.values) {
      canvas.line({area_.x, at_y(value)}, {area_.x - kTickLength, at_y(value)}, mark);
    }
    for (const double value : y_ticks_.minor) {
      canvas.line({area_.x, at_y(value)}, {area_.x - 2.0, at_y(value)}, mark);
    }
  }
  if (x == AxisDetail::kTexts) draw_x_texts(canvas, x_label);
  if (y == AxisDetail::kTexts) draw_y_texts(canvas, y_label);
}

void Panel::draw_x_texts(Canvas& canvas, std::string_view label) const {
  TextStyle style = tick_style();
  style.horizontal = Align::kMiddle;
  style.vertical = Align::kStart;
  const double top = area_.bottom() + kTickLength + kTickGap;
  for (size_t i = 0; i < x_ticks_.values.size(); ++i) {
    canvas.text({at_x(x_ticks_.values[i]), top}, x_ticks_.labels[i], style);
  }
  style.vertical = Align::kEnd;
  style.horizontal = Align::kEnd;
  canvas.text({area_.right(), area_.bottom() + space_below(x_ticks_, "")},
              ellipsized(x_ticks_.note, style, area_.width + kTextGap), style);
  TextStyle large = label_style();
  large.horizontal = Align::kMiddle;
  large.vertical = Align::kEnd;
  canvas.text({area_.x + 0.5 * area_.width, area_.bottom() + space_below(x_ticks_, label)},
              shortened_inside(label, large, area_.width), large);
}

void Panel::draw_y_texts(Canvas& canvas, std::string_view label) const {
  TextStyle style = tick_style();
  style.horizontal = Align::kEnd;
  for (size_t i = 0; i < y_ticks_.values.size(); ++i) {
    canvas.text({area_.x - kTickLength - kTickGap, at_y(y_ticks_.values[i])}, y_ticks_.labels[i],
                style);
  }
  style.upwards = true;
  style.vertical = Align::kStart;
  canvas.text({area_.x - space_left(y_ticks_, ""), area_.y},
              ellipsized(y_ticks_.note, style, area_.height), style);
  TextStyle large = label_style();
  large.horizontal = Align::kMiddle;
  large.vertical = Align::kStart;
  large.upwards = true;
  canvas.text({area_.x - space_left(y_ticks_, label), area_.y + 0.5 * area_.height},
              shortened_inside(label, large, area_.height), large);
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
  canvas.text({area_.x, baseline}, shortened_inside(title, bold, area_.width - taken), bold);
  canvas.text({area_.right(), baseline}, shown, soft);
}

double left_space(const Axis& y, double height, std::string_view y_label) {
  return space_left(vertical_ticks(y, height), y_label);
}

double bottom_space(const Axis& x, double width, std::string_view x_label) {
  return space_below(horizontal_ticks(x, width), x_label);
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
