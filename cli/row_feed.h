#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "cli/model_file.h"
#include "contraflow/data/rows.h"

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
};

/// Where batches come from: a file, or a part of the training's data.
struct RowFeed {
  std::string name;
  std::function<data::Batch(int64_t first_row, int64_t most)> next;  ///< No rows at the end.
  std::function<double(int64_t rows)> fraction;                      ///< Of the work behind.
};

/// ConfigError: neither or both of input and split, columns that do not fit, an endless split. A
/// split brings the weights of the training's data.
RowFeed open_feed(const FeedArguments& a, const ModelFile& model);

}  // namespace contraflow::cli
