#pragma once

#include <c10/core/ScalarType.h>

namespace contraflow {

/// The largest relative error of rounding a number to the nearest one of a floating type; half the
/// distance from 1 to the next number.
inline double unit_roundoff(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return 0x1p-53;
    case at::kHalf:
      return 0x1p-11;
    case at::kBFloat16:
      return 0x1p-8;
    default:
      return 0x1p-24;
  }
}

}  // namespace contraflow
