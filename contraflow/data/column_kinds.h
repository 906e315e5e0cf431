#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "contraflow/core/column_info.h"

namespace contraflow::data {

/// What a column of values [N] (float64, finite, not constant) is taken for, from its values alone.
///   whole numbers                                     integer; count, if they spread like powers
///   coarsely rounded, or with an atom: multiples of one decimal step    integer, in such steps
///   above 0, spread like powers of ten                positive
///   within [0, 1] or [0, 100] and dense at an edge    bounded
///   all else                                          continuous
ColumnInfo guess_kind(const at::Tensor& values);

/// A value that is an atom if so many of the rows have it: no density is as high.
inline constexpr double kAtomShare = 0.05;

struct CommonValue {
  double value = 0.0;
  double share = 0.0;  ///< Of the rows.
};

/// The value that most rows have.
CommonValue most_common(const at::Tensor& values);

/// The distance from a bound at which a value on the bound counts: half of that of the nearest value
/// that is not on it.
double edge_of(const at::Tensor& values, double bound);

/// Why the column is a number of its row and no measurement ("the row number", "a number that no
/// two rows share"); unset where it is not. `unnamed`: the header has no name for it.
std::optional<std::string> row_number_reason(const std::string& name, const at::Tensor& values,
                                             bool unnamed);

/// The values are rounded: multiples of a decimal step that is not far below their spread. Equal rows
/// of rounded columns are no copies of each other.
bool is_rounded(const at::Tensor& values);

}  // namespace contraflow::data
