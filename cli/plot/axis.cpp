#include "cli/plot/axis.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace contraflow::plot {
namespace {

double power_of_ten(double exponent) { return std::pow(10.0, exponent); }
double decade_of(double value) { return std::floor(std::log10(std::abs(value)) + 1e-9); }

/// Short where few digits say it: 1.7×10⁹, else 1,690,123,500.
std::string number_text(double value, int decimals) {
  const double decade = decade_of(value);
  const double mantissa = std::abs(value) / power_of_ten(decade);
  const double two_digits = std::round(mantissa * 100.0) / 100.0;
  if (decade < 6.0 || std::abs(mantissa - two_digits) > 1e-12) return format_fixed(value, decimals);
  const int digits = two_digits == std::round(two_digits)                 ? 0
                     : two_digits * 10.0 == std::round(two_digits * 10.0) ? 1
                                                                          : 2;
  return format_fixed(std::copysign(two_digits, value), digits) + "×" +
         power_text(static_cast<int>(decade));
}

/// The roundest number inside a range far from zero whose texts would differ in their last digits
/// only; 0 where texts tell values apart as they are.
double common_part(Range range, double step) {
  constexpr double kMostDigits = 5.0;
  const double largest = std::max(std::abs(range.lo), std::abs(range.hi));
  if (range.lo * range.hi <= 0.0 || decade_of(largest) - decade_of(step) < kMostDigits) return 0.0;
  for (double decade = decade_of(largest); decade > decade_of(step) - 1.0; decade -= 1.0) {
    // Division by a power of ten rounds better than multiplication with a negative one.
    const double power = power_of_ten(std::abs(decade));
    const double middle = 0.5 * (range.lo + range.hi);
    const double round =
        decade >= 0.0 ? std::round(middle / power) * power : std::round(middle * power) / power;
    if (round >= range.lo && round <= range.hi) return round;
  }
  return 0.0;
}

/// The power of ten that all texts share, 0 for none.
int shared_power(Range range, Notation notation) {
  const double largest = std::max(std::abs(range.lo), std::abs(range.hi));
  const double from = notation == Notation::kPlain ? 1e7 : 1e4;
  const bool plain = largest >= 1e-3 && largest < from;
  return plain ? 0 : static_cast<int>(decade_of(largest));
}

std::vector<Ticks> linear_choices(Range range, double least_step, int most) {
  std::vector<Ticks> choices;
  for (const Notation notation : {Notation::kPlain, Notation::kShort}) {
    for (int count = most; count >= 2; --count) {
      Ticks ticks = noted_ticks(range, count, notation);
      const bool too_fine = ticks.step < least_step;
      choices.push_back(too_fine ? ticks_every(range, least_step, notation) : std::move(ticks));
    }
  }
  // Few texts in plain notation are no better than many in short notation.
  std::stable_sort(choices.begin(), choices.end(), [](const Ticks& a, const Ticks& b) {
    return (a.values.size() >= 3) > (b.values.size() >= 3);
  });
  return choices;
}

/// How far from the origin of its scale the value at a place is.
double distance_at(double place, const AxisScale& scale) {
  return AxisScale{.kind = scale.kind, .unit = scale.unit}.value(place);
}

std::string log_text(double value) {
  const double decade = decade_of(value);
  if (value == 0.0) return "0";
  const double mantissa = std::round(std::abs(value) / power_of_ten(decade));
  if (decade > 3.0 || decade < -2.0) {
    const std::string sign = value < 0.0 ? "−" : "";
    return sign + (mantissa == 1.0 ? "" : format_fixed(mantissa, 0) + "×") +
           power_text(static_cast<int>(decade));
  }
  return format_fixed(value, static_cast<int>(std::max(0.0, -decade)));
}

/// With as many decimals as it has, up to six.
std::string shortest_text(double value) {
  int decimals = 0;
  for (double factor = 1.0; decimals < 6; ++decimals, factor *= 10.0) {
    if (std::abs(std::round(value * factor) / factor - value) <= 1e-9 * std::abs(value)) break;
  }
  return format_fixed(value, decimals);
}

/// Ticks at values that lie mantissa 10^k from the origin, every `stride`-th k from `least` on, and at
/// the origin where it has a place. Texts are the values themselves.
Ticks log_ticks_at(const Axis& axis, const std::vector<double>& mantissas, double stride,
                   double least = -400.0) {
  const AxisScale& scale = axis.scale;
  const double slack = 1e-9 * axis.range.width();
  const auto inside = [&](double place) {
    return place >= axis.range.lo - slack && place <= axis.range.hi + slack;
  };
  Ticks ticks{.values = {}, .labels = {}, .step = stride, .minor = {}, .note = scale.note()};
  const auto add = [&](double place, double distance) {
    ticks.values.push_back(place);
    ticks.labels.push_back(scale.origin == 0.0 ? log_text(distance)
                                               : shortest_text(scale.origin + distance));
  };
  const bool from_origin = scale.kind == AxisKind::kLogOnePlus;
  if (from_origin && inside(0.0)) add(0.0, 0.0);
  const double first =
      from_origin ? decade_of(scale.unit) : decade_of(distance_at(axis.range.lo, scale));
  const double last = decade_of(distance_at(axis.range.hi, scale));
  for (double k = first; k <= last; k += 1.0) {
    for (int digit = 1; digit <= 9; ++digit) {
      const double distance = digit * power_of_ten(k);
      const double place = scale.place(scale.origin + distance);
      if (!inside(place)) continue;
      const bool major = k >= least && std::fmod(std::abs(k), stride) == 0.0 &&
                         std::find(mantissas.begin(), mantissas.end(), digit) != mantissas.end();
      if (major) {
        add(place, distance);
      } else if (axis.range.width() < 8.0) {
        ticks.minor.push_back(place);
      }
    }
  }
  return ticks;
}

/// Less than a decade has room for round numbers of equal distance only.
Ticks within_decade(const Axis& axis, int most) {
  Ticks ticks =
      nice_ticks({axis.scale.value(axis.range.lo), axis.scale.value(axis.range.hi)}, most);
  for (double& value : ticks.values) value = axis.scale.place(value);
  ticks.note = axis.scale.note();
  return ticks;
}

std::vector<Ticks> log_choices(const Axis& axis, int most) {
  std::vector<Ticks> choices;
  const auto offer = [&](Ticks ticks) {
    if (ticks.values.size() <= static_cast<size_t>(most)) choices.push_back(std::move(ticks));
  };
  if (axis.range.width() < 1.0) {
    for (int count = most; count >= 2; --count) offer(within_decade(axis, count));
  }
  for (const std::vector<double>& mantissas :
       {std::vector<double>{1, 2, 5}, std::vector<double>{1, 3}, std::vector<double>{1}}) {
    offer(log_ticks_at(axis, mantissas, 1.0));
  }
  // Beside the origin there is little room for the first decade.
  const bool from_origin = axis.scale.kind == AxisKind::kLogOnePlus;
  const double second = decade_of(axis.scale.unit) + 1.0;
  if (from_origin) offer(log_ticks_at(axis, {1}, 1.0, second));
  for (double stride = 2.0; stride <= std::max(2.0, axis.range.width()); stride += 1.0) {
    offer(log_ticks_at(axis, {1}, stride));
    if (from_origin) offer(log_ticks_at(axis, {1}, stride, second));
  }
  if (choices.empty()) choices.push_back(within_decade(axis, 2));
  return choices;
}

}  // namespace

double AxisScale::place(double value) const {
  if (!logarithmic()) return value;
  const double n = (value - origin) / unit + (kind == AxisKind::kLogOnePlus ? 1.0 : 0.0);
  return n > 0.0 ? std::log10(n) : std::numeric_limits<double>::quiet_NaN();
}

double AxisScale::value(double place) const {
  if (!logarithmic()) return place;
  return origin + unit * (power_of_ten(place) - (kind == AxisKind::kLogOnePlus ? 1.0 : 0.0));
}

std::string AxisScale::note() const {
  if (!logarithmic()) return {};
  std::string of = "x";
  if (origin != 0.0) of += (origin > 0.0 ? " − " : " + ") + shortest_text(std::abs(origin));
  if (unit != 1.0) of = (origin != 0.0 ? "(" + of + ")" : of) + " / " + shortest_text(unit);
  if (kind == AxisKind::kLogOnePlus) return "log scale of 1 + " + of;
  return of == "x" ? "log scale" : "log scale of " + of;
}

Ticks noted_ticks(Range range, int max_count, Notation notation) {
  const Range usable = usable_range(range);
  const double offset = common_part(usable, nice_ticks(usable, max_count, notation).step);
  const Range rest{usable.lo - offset, usable.hi - offset};
  const int power = shared_power(rest, notation);
  const double factor = power_of_ten(power);
  Ticks ticks = nice_ticks({rest.lo / factor, rest.hi / factor}, max_count, notation);
  ticks.step *= factor;
  for (double& value : ticks.values) value = offset + factor * value;
  if (power != 0) ticks.note = "×" + power_text(power);
  if (offset != 0.0) {
    const int decimals = static_cast<int>(std::max(0.0, -decade_of(ticks.step)));
    ticks.note +=
        (ticks.note.empty() ? "" : " ") +
        (offset > 0.0 ? "+" + number_text(offset, offset == std::round(offset) ? 0 : decimals)
                      : number_text(offset, offset == std::round(offset) ? 0 : decimals));
  }
  return ticks;
}

std::vector<Ticks> tick_choices(const Axis& axis, int most) {
  if (axis.scale.logarithmic()) return log_choices(axis, most);
  std::vector<Ticks> choices;
  if (axis.scale.kind == AxisKind::kDate) choices = date_ticks(axis.range, most);
  return choices.empty() ? linear_choices(axis.range, axis.scale.least_step, most) : choices;
}

}  // namespace contraflow::plot
