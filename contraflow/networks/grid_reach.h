#pragma once

#include <cstdint>

#include "contraflow/networks/conv_grid.h"

namespace contraflow {

/// How far a network on images [channels, height, width], as rows with the channels first, reads: a
/// pixel of G(w) depends on the pixels of w that are at most `radius` away along each axis, on a
/// circular grid around it. So entries of the Jacobian between other pixels are 0.
struct GridReach {
  int64_t channels = 1;
  ConvGrid grid;
  int64_t radius = 0;

  int64_t pixels() const { return grid.height * grid.width; }
  int64_t features() const { return channels * pixels(); }
};

}  // namespace contraflow
