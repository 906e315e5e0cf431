#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow {

/// A value that an error is about.
struct CF_EXPORT BadValue {
  int64_t row = 0;
  std::vector<int64_t> place = {};  ///< Within the event of that row.
  double value = 0.0;

  /// "column 3" of a row, "pixel [1, 0, 2]" of an event with more axes.
  std::string place_text() const;
  /// "row 4, column 3".
  std::string text() const;
};

/// The first value of x [N, ...] that the mask `bad`, of the same shape, marks; none where it marks
/// none.
CF_EXPORT std::optional<BadValue> first_bad(const at::Tensor& x, const at::Tensor& bad);

}  // namespace contraflow
