#pragma once

#include <cstdint>
#include <vector>

#include "contraflow/core/column_info.h"
#include "contraflow/core/event_shape.h"

namespace contraflow {

/// What is known about events before a model of them is made: what data say and a model needs.
///
/// Example    EventInfo{.event = 2};  EventInfo{.event = {3, 32, 32}, .levels = 256};
struct EventInfo {
  EventShape event = {};
  /// Of the condition that goes with each event; empty = none.
  EventShape condition = {};
  /// The last numbers of the condition that are one class of this many, one-hot; 0 = none.
  int64_t classes = 0;
  /// Values are integers 0 .. levels - 1, to be dequantized; 0 = continuous.
  int64_t levels = 0;
  /// [low, high] that values cannot leave (after dequantization: 0, 1); empty = unbounded.
  std::vector<double> bounds = {};
  /// Of rows of a table: what each column is. It says more than levels and bounds, which are unset
  /// then. Empty = nothing is known.
  std::vector<ColumnInfo> columns = {};
  /// Knots of a monotone curve in front of each of these columns, 0 = an affine map; empty = no
  /// curves.
  std::vector<int64_t> marginal_knots = {};
  /// Standardises the first numbers of the condition; empty = they stay as they are.
  std::vector<ConditionScale> condition_scale = {};
};

}  // namespace contraflow
