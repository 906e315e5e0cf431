#pragma once

#include <limits>

namespace contraflow {

/// Spacing of the float64 numbers at 1: proofs of norms count their rounding errors in it.
inline constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

}  // namespace contraflow
