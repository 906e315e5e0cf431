#include "cli/plot/ticks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace contraflow::plot {
namespace {

constexpr std::string_view kMinus = "\u2212";

/// Keeps ends like 0.1 + 0.2 on their tick.
constexpr double kSlack = 1e-9;

double tick_count(const Range& range, double step) {
  return std::floor(range.hi / step + kSlack) - std::ceil(range.lo / step - kSlack) + 1.0;
}

/// Smallest step of the form {1, 2, 5} 10^k that gives at most max_count ticks.
double nice_step(const Range& range, int max_count) {
  const double power = std::pow(10.0, std::floor(std::log10(range.width() / max_count)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0, 20.0}) {
    if (tick_count(range, factor * power) <= max_count) return factor * power;
  }
  return 50.0 * power;
}

std::string superscript(int exponent) {
  static constexpr std::array<std::string_view, 10> kDigits{"⁰", "¹", "²", "³", "⁴",
                                                            "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "⁻" : "";
  for (const char digit : std::to_string(std::abs(exponent))) {
    text += kDigits[static_cast<size_t>(digit - '0')];
  }
  return text;
}

int decimals_of(double step) {
  return std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 15);
}

/// One power of ten for the whole axis, e.g. 2×10⁻⁵.
std::string format_scientific(double value, double step, int exponent) {
  if (value == 0.0) return "0";
  const double scale = std::pow(10.0, exponent);
  return format_fixed(value / scale, decimals_of(step / scale)) + "×" + power_text(exponent);
}

}  // namespace

std::string power_text(int exponent) { return "10" + superscript(exponent); }

std::string format_fixed(double value, int decimals) {
  std::array<char, 400> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, std::abs(value));
  std::string digits = buffer.data();
  const bool is_zero = digits.find_first_not_of("0.") == std::string::npos;
  const size_t point = std::min(digits.find('.'), digits.size());
  for (size_t at = point; at > 3; at -= 3) digits.insert(at - 3, ",");
  return value < 0.0 && !is_zero ? std::string(kMinus) + digits : digits;
}

Range usable_range(Range range) {
  // Beyond this, widths and midpoints overflow.
  constexpr double kLargest = 1e300;
  if (!(std::abs(range.lo) <= kLargest && std::abs(range.hi) <= kLargest)) return {0.0, 1.0};
  if (range.lo > range.hi) std::swap(range.lo, range.hi);
  const double largest = std::max(std::abs(range.lo), std::abs(range.hi));
  // Doubles tell some thousand values apart in the narrowest of these ranges.
  if (range.width() > 1e-12 * largest && range.width() > 1e-300) return range;
  const double half = largest > 0.0 ? 0.05 * largest : 0.5;
  return {range.lo - half, range.hi + half};
}

Range padded(Range range, double fraction) {
  const Range usable = usable_range(range);
  const double pad = fraction * usable.width();
  return {usable.lo - pad, usable.hi + pad};
}

Ticks nice_ticks(Range range, int max_count, Notation notation) {
  const Range usable = usable_range(range);
  return ticks_every(usable, nice_step(usable, std::max(2, max_count)), notation);
}

Ticks ticks_every(Range range, double step, Notation notation) {
  constexpr double kMost = 1000.0;
  const Range usable = usable_range(range);
  Ticks ticks{.values = {}, .labels = {}, .step = step, .minor = {}, .note = {}};
  const double first = std::ceil(usable.lo / step - kSlack);
  const double last = std::min(std::floor(usable.hi / step + kSlack), first + kMost - 1.0);
  const double largest = std::max(std::abs(usable.lo), std::abs(usable.hi));
  const int exponent = static_cast<int>(std::floor(std::log10(largest) + kSlack));
  const double from = notation == Notation::kPlain ? 1e7 : 1e4;
  const bool scientific = (largest >= from || largest < 1e-3) && largest / step < 1e5;
  for (double k = first; k <= last; k += 1.0) {
    ticks.values.push_back(k * step);
    ticks.labels.push_back(scientific ? format_scientific(k * step, step, exponent)
                                      : format_fixed(k * step, decimals_of(step)));
  }
  return ticks;
}

}  // namespace contraflow::plot
