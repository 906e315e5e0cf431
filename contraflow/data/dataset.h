#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/data/data_options.h"
#include "contraflow/data/source.h"

namespace contraflow::data {

/// Data ready to train on.
struct Dataset {
  std::string name;
  /// Disjoint parts; validation or test is null where its size is 0.
  Splits splits;
  /// What the columns mean; `weight` is empty where the weights come from a file of their own.
  Columns columns;
};

/// Opens what `options` name. Files are read whole; score large files with open_rows().
///
/// Shapes     batches: x [B] + columns.event_shape, condition [B, columns.condition_size()],
///            weight [B].
/// Types      `dtype` (float32 or float64), CPU.
/// Splits     toys: an endless training stream, and fixed validation and test sets, from three
///            independent streams. Tables: a permutation by seed, cut in three.
/// Random     a pure function of options.seed.
/// Throws     ConfigError (unknown name, with the nearest one; options that contradict each other or
///            the data), IoError, DomainError (missing, infinite or out-of-range values, constant
///            columns; weights that are negative, or all zero in a part), ShapeError (fewer than
///            two rows; a file of weights that is not one column of as many).
/// Example    const Dataset data = open_data({.name = "digits", .label = "label"});
CF_EXPORT Dataset open_data(const DataOptions& options, at::ScalarType dtype = at::kFloat);

/// Every name that is not a path: the toy densities and "digits".
CF_EXPORT std::vector<std::string> builtin_data_names();

}  // namespace contraflow::data
