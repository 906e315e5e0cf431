#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/data/dataset.h"
#include "contraflow/data/rows.h"

namespace contraflow {

/// Rows of a file, in the columns of a model.
struct FileFeedOptions {
  std::string where = "feed";             ///< For messages.
  std::string file = {};                  ///< .csv, .tsv, .txt or .npy.
  std::vector<std::string> columns = {};  ///< In the model's order; empty = found by their names.
  std::string weight = {};                ///< Column of row weights; empty = none.
  /// The rows have no columns of the condition: see given_to_all().
  bool without_condition = false;
  /// A row that cannot be read becomes one of NaN, with a reason, instead of an error.
  bool lenient = false;
  data::FileOptions format = {};  ///< Columns and cells are those of the model.
  /// Of images of 256 levels: lowest bits of each pixel that the model's data had dropped.
  int64_t dropped_bits = 0;
};

/// Where batches come from: a file, or a part of the training's data. Float64, on the CPU.
struct RowFeed {
  std::string name;
  std::function<data::Batch(int64_t first_row, int64_t most)> next;  ///< No rows at the end.
  std::function<double(int64_t rows)> fraction;  ///< Of the work, after so many rows.
  /// Of a file: the reader, for what it says of the rows of the last next(); else null.
  std::shared_ptr<const data::RowReader> reader = nullptr;
  /// Of a folder of images: the file of each row, from the folder on; else empty.
  std::vector<std::string> files = {};
};

/// Streams a file in bounded memory. ConfigError: columns that do not fit.
CF_EXPORT RowFeed file_feed(const FileFeedOptions& options, const data::Columns& columns);

/// The same where the model is one of images and the path holds some: a layout of images (data/image_files.h),
/// whose labels are the condition where the model has one, or an array [N, C, H, W] or [N, H, W] of numbers.
/// Unset for other models and files. ConfigError: images of another size or number of channels than the model's,
/// which names both; labels that are missing. DomainError: labels that are no classes of the model.
CF_EXPORT std::optional<RowFeed> image_feed(const FileFeedOptions& options,
                                            const data::Columns& columns);

/// One part of a data set, with its weights; ConfigError for a part without rows or without end.
CF_EXPORT RowFeed split_feed(const std::string& where, data::Dataset dataset,
                             const std::string& split);

/// The same rows, all with the condition `given` [1, C].
CF_EXPORT RowFeed given_to_all(RowFeed feed, const at::Tensor& given);

/// "train", "validation" or "test" of a data set; ConfigError where it has no rows.
CF_EXPORT const data::Source& split_of(const data::Dataset& dataset, const std::string& split);

}  // namespace contraflow
