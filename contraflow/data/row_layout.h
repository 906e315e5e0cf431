#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "contraflow/data/source.h"

namespace contraflow::data {

/// Which columns of a file mean what. A trained model keeps it, to read other files alike.
struct RowLayout {
  std::vector<std::string> columns = {};    ///< What the density is over.
  std::vector<std::string> condition = {};  ///< Given numbers, taken as they are.
  std::string label = "";   ///< Given class 0 .. classes - 1, one-hot; empty = none.
  std::string weight = "";  ///< Importance of the row, >= 0; empty = none.
  int64_t classes = 0;      ///< Number of classes; 0 = without a label.

  /// The columns to read, in the order that to_batch() takes them in.
  std::vector<std::string> to_read(bool with_weight = true) const;
  /// Numbers that a model is conditioned on: those of `condition`, then the classes.
  int64_t condition_size() const;

  /// Cuts rows [n, to_read().size()] into x, condition and weight of type `dtype`.
  /// DomainError: a label that is not a known class, a negative weight; `first_row` is the number
  /// of the first row, for messages and Batch::first_row.
  Batch to_batch(const at::Tensor& rows, at::ScalarType dtype, const std::string& source,
                 int64_t first_row = 0, bool with_weight = true) const;
};

/// Number of classes among labels [n]: the largest one plus 1. DomainError unless all are integers
/// from 0 to 9,999.
int64_t count_classes(const at::Tensor& labels, const std::string& source);

}  // namespace contraflow::data
