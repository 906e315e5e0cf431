#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "contraflow/core/export.h"

namespace contraflow::data {

/// The UCI handwritten digits, which are part of the library (builtin/README.md).
struct Digits {
  static constexpr int64_t kRows = 1797;
  static constexpr int64_t kSide = 8;     ///< Pixels in a row and in a column of an image.
  static constexpr int64_t kPixels = 64;  ///< Row by row.
  static constexpr int64_t kLevels = 17;  ///< Pixel values are integers 0 .. 16.

  at::Tensor x;       ///< [1797, 64] float64.
  at::Tensor labels;  ///< [1797] int64, 0 .. 9.
};

/// Cost: parses 260 kB of text, about 2 ms. Threads: safe.
CF_EXPORT Digits load_digits();

}  // namespace contraflow::data
