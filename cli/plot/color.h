#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

namespace contraflow::plot {

/// sRGB colour, each channel in [0, 1].
struct Color {
  double r = 0.0;
  double g = 0.0;
  double b = 0.0;
};

/// Colour by perceived lightness in [0, 1], chroma and hue in degrees (the OKLCh space). Chroma is
/// lowered where sRGB cannot show it, so lightness and hue are always the ones asked for.
Color oklch(double lightness, double chroma, double hue);
/// a + t (b - a) per channel, t in [0, 1].
Color mix(const Color& a, const Color& b, double t);

/// Anchor of a colour map in OKLCh.
struct ColorAnchor {
  double lightness;
  double chroma;
  double hue;  ///< Degrees; neighbours are joined linearly, so values beyond 360 are meaningful.
};

/// Immutable table of colours over [0, 1], interpolated between anchors spaced evenly.
class ColorMap {
 public:
  ColorMap(std::initializer_list<ColorAnchor> anchors);
  /// Colour at t; t outside [0, 1] gives the nearest end.
  Color operator()(double t) const;

 private:
  static constexpr size_t kSize = 256;
  std::array<Color, kSize> table_;
};

/// Indigo to pale yellow; lightness rises linearly, so it reads in grey and to colour-blind eyes.
const ColorMap& density_colors();
/// Like density_colors() but dark enough at both ends for thin lines on paper.
const ColorMap& line_colors();
/// Cyclic: the ends meet. Blue, teal, ochre and brick differ in lightness as well as in hue.
const ColorMap& angle_colors();
inline constexpr size_t kSeriesColors = 6;  ///< Of distinct lightness.
/// Colour of the k-th series; beyond kSeriesColors they repeat.
Color series_color(size_t k);

namespace theme {
inline constexpr Color kPaper{0.992, 0.992, 0.988};    ///< Ground of every figure.
inline constexpr Color kPanel{0.965, 0.966, 0.969};    ///< Ground of a panel.
inline constexpr Color kInk{0.118, 0.137, 0.180};      ///< Titles, data in black.
inline constexpr Color kSoftInk{0.333, 0.361, 0.416};  ///< Labels, ticks, notes.
inline constexpr Color kFrame{0.620, 0.643, 0.686};    ///< Frames and tick marks.
inline constexpr Color kGrid{0.878, 0.886, 0.902};     ///< Grid lines.
inline constexpr Color kMissing{0.725, 0.725, 0.725};  ///< Cells without a value.
inline constexpr double kTitleSize = 17.0;
inline constexpr double kPanelTitleSize = 13.0;
inline constexpr double kLabelSize = 12.0;
inline constexpr double kTickSize = 11.0;
inline constexpr double kMargin = 28.0;  ///< Free space around every figure.
}  // namespace theme

}  // namespace contraflow::plot
