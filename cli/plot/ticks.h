#pragma once

#include <string>
#include <vector>

#include "cli/plot/geometry.h"

namespace contraflow::plot {

/// Tick positions of an axis with their texts.
struct Ticks {
  std::vector<double> values = {};
  std::vector<std::string> labels = {};
  double step = 1.0;  ///< Distance of neighbours; nice_ticks: 1, 2 or 5 times a power of ten.
  std::vector<double> minor = {};  ///< Positions of small marks without a text.
  std::string note = {};           ///< What all texts leave out, e.g. "+1.7×10⁹" or "log scale".
};

/// When labels become "2×10⁵" instead of "200,000".
enum class Notation { kPlain /* from ten million */, kShort /* from ten thousand */ };

/// At most `max_count` (>= 2) ticks at round numbers inside `range`; all labels have the same
/// number of decimals. A range that is not finite or not wider than rounding allows is repaired by
/// usable_range() first.
Ticks nice_ticks(Range range, int max_count, Notation notation = Notation::kPlain);
/// Ticks at the multiples of `step` (> 0) inside `range`, at most a thousand.
Ticks ticks_every(Range range, double step, Notation notation = Notation::kPlain);

/// `range` itself, or an interval around it wide enough to divide; [0, 1] if it is not finite.
Range usable_range(Range range);
/// usable_range(range) widened on both sides by `fraction` of its width.
Range padded(Range range, double fraction);

/// `value` with `decimals` decimals, thousands separated, a true minus sign, never "-0".
std::string format_fixed(double value, int decimals);
/// "10⁻⁵"
std::string power_text(int exponent);

}  // namespace contraflow::plot
