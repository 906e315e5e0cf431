#pragma once

#include <string>
#include <vector>

#include "cli/plot/ticks.h"

namespace contraflow::plot {

enum class AxisKind {
  kLinear,
  kDate,        ///< Seconds since 1970 (UTC), with dates and times as texts.
  kLog,         ///< Powers of ten.
  kLogOnePlus,  ///< Powers of ten of one plus the value in steps, for counts from 0 on.
};

/// Where the values of a column stand on a line of equal steps. The places of logarithms are those
/// of n = (value - origin) / unit.
struct AxisScale {
  AxisKind kind = AxisKind::kLinear;
  double origin = 0.0;
  double unit = 1.0;
  double least_step =
      0.0;  ///< Of a linear axis: 1 for whole numbers, which have no halves to name.

  bool logarithmic() const { return kind == AxisKind::kLog || kind == AxisKind::kLogOnePlus; }
  /// NaN for a value that a logarithm does not have.
  double place(double value) const;
  double value(double place) const;
  /// What the texts of the axis are, e.g. "log scale"; empty for a linear one.
  std::string note() const;
};

/// What one side of a panel shows. A range alone is a linear axis.
struct Axis {
  Axis(Range places, AxisScale how = {}) : range(usable_range(places)), scale(how) {}
  Range range;  ///< In places.
  AxisScale scale;
  bool crowded = false;  ///< Beside others of its kind: texts stay within its ends, closely set.
};

/// Ticks of an axis, from many to few texts, never more than `most` (>= 2); a panel takes the first
/// that fit. Far from zero they are differences, and tiny or huge ones share a power of ten:
/// Ticks::note tells which.
std::vector<Ticks> tick_choices(const Axis& axis, int most);

/// Ticks of a linear axis, at most `max_count`, with the note that they need.
Ticks noted_ticks(Range range, int max_count, Notation notation = Notation::kPlain);
/// Ticks at round dates or times (date_ticks.cpp).
std::vector<Ticks> date_ticks(Range seconds, int most);

}  // namespace contraflow::plot
