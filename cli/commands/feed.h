#pragma once

#include <string>
#include <vector>

#include "contraflow/evaluation/row_feed.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {

/// Which rows a command is to read.
struct FeedArguments {
  std::string command;                    ///< For messages.
  std::string input = {};                 ///< A file of rows, or
  std::string split = {};                 ///< a part of the training's data.
  std::vector<std::string> columns = {};  ///< Of the file, in the model's order; empty = by name.
  std::string weight = {};                ///< Column of the file with row weights; empty = none.
  /// Condition [1, C] of all rows, float64, in place of what the rows have; undefined = theirs.
  at::Tensor given = {};
  data::FileOptions file = {};
  bool allow_changed = false;  ///< Of the training's data.
  /// Of a file: a row that cannot be read becomes one of NaN instead of an error.
  bool lenient = false;
};

/// ConfigError: neither or both of input and split, columns that do not fit, an endless split. A
/// split brings the weights of the training's data.
RowFeed open_feed(const FeedArguments& a, const Model& model);

}  // namespace contraflow::cli
