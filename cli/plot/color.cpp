#include "cli/plot/color.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace contraflow::plot {
namespace {

double encode_srgb(double linear) {
  return linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1.0 / 2.4) - 0.055;
}

/// OKLab to linear sRGB (Ottosson 2020, bottosson.github.io/posts/oklab); may leave [0, 1].
Color oklab_to_linear(double lightness, double a, double b) {
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

bool in_gamut(const Color& c) {
  constexpr double kSlack = 1e-4;
  const auto inside = [](double v) { return v >= -kSlack && v <= 1.0 + kSlack; };
  return inside(c.r) && inside(c.g) && inside(c.b);
}

ColorAnchor between(const ColorAnchor& a, const ColorAnchor& b, double t) {
  return {std::lerp(a.lightness, b.lightness, t), std::lerp(a.chroma, b.chroma, t),
          std::lerp(a.hue, b.hue, t)};
}

}  // namespace

Color oklch(double lightness, double chroma, double hue) {
  const double angle = hue * std::numbers::pi / 180.0;
  Color linear = oklab_to_linear(lightness, chroma * std::cos(angle), chroma * std::sin(angle));
  while (!in_gamut(linear) && chroma > 1e-3) {
    chroma *= 0.97;
    linear = oklab_to_linear(lightness, chroma * std::cos(angle), chroma * std::sin(angle));
  }
  const auto channel = [](double v) { return encode_srgb(std::clamp(v, 0.0, 1.0)); };
  return {channel(linear.r), channel(linear.g), channel(linear.b)};
}

Color mix(const Color& a, const Color& b, double t) {
  return {std::lerp(a.r, b.r, t), std::lerp(a.g, b.g, t), std::lerp(a.b, b.b, t)};
}

ColorMap::ColorMap(std::initializer_list<ColorAnchor> anchors) {
  const std::vector<ColorAnchor> list(anchors);
  const double last = static_cast<double>(list.size() - 1);
  for (size_t i = 0; i < kSize; ++i) {
    const double position = last * static_cast<double>(i) / static_cast<double>(kSize - 1);
    const size_t left = std::min(static_cast<size_t>(position), list.size() - 2);
    const ColorAnchor at =
        between(list[left], list[left + 1], position - static_cast<double>(left));
    table_[i] = oklch(at.lightness, at.chroma, at.hue);
  }
}

Color ColorMap::operator()(double t) const {
  const double position = std::clamp(t, 0.0, 1.0) * static_cast<double>(kSize - 1);
  const size_t left = std::min(static_cast<size_t>(position), kSize - 2);
  return mix(table_[left], table_[left + 1], position - static_cast<double>(left));
}

const ColorMap& density_colors() {
  static const ColorMap map{{0.200, 0.085, 285}, {0.330, 0.135, 275}, {0.460, 0.125, 250},
                            {0.590, 0.110, 205}, {0.720, 0.130, 165}, {0.850, 0.165, 120},
                            {0.970, 0.120, 103}};
  return map;
}

const ColorMap& line_colors() {
  static const ColorMap map{{0.340, 0.140, 280},
                            {0.450, 0.130, 258},
                            {0.560, 0.110, 215},
                            {0.660, 0.120, 165},
                            {0.760, 0.160, 110}};
  return map;
}

const ColorMap& angle_colors() {
  static const ColorMap map{{0.400, 0.150, 265},
                            {0.640, 0.110, 190},
                            {0.760, 0.140, 85},
                            {0.520, 0.170, 30},
                            {0.400, 0.150, -95}};
  return map;
}

Color series_color(size_t k) {
  static const std::array<Color, kSeriesColors> colors{
      oklch(0.47, 0.150, 258), oklch(0.68, 0.165, 52), oklch(0.60, 0.110, 178),
      oklch(0.52, 0.180, 355), oklch(0.79, 0.150, 92), oklch(0.38, 0.090, 310)};
  return colors[k % colors.size()];
}

}  // namespace contraflow::plot
