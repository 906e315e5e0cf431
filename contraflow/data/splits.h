#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"
#include "contraflow/data/source.h"

namespace contraflow::data {

/// How many rows go where. Rows, where given, take precedence over the fraction. A fraction above 0
/// is at least one row.
struct SplitSizes {
  double validation_fraction = 0.1;
  double test_fraction = 0.1;
  std::optional<int64_t> validation_rows = {};
  std::optional<int64_t> test_rows = {};
};

/// Row numbers of each part (int64): a random permutation cut in three. Together they are
/// 0 .. count - 1, each once.
struct SplitRows {
  at::Tensor train, validation, test;
};

/// Rows for the test and for validation of `count`; ConfigError when nothing is left for training.
CF_EXPORT std::pair<int64_t, int64_t> part_sizes(int64_t count, const SplitSizes& sizes);

/// ConfigError when nothing is left for training. Same rng and sizes give the same parts; the test
/// rows depend on rng and their own number only.
CF_EXPORT SplitRows split_rows(int64_t count, const SplitSizes& sizes, const Rng& rng);

/// Those parts of rows in memory; see split_tensors().
CF_EXPORT Splits take_parts(const Batch& rows, const SplitRows& parts, const Rng& rng,
                            std::optional<at::ScalarType> dtype);

/// Rows in memory, cut into the three parts that training needs; validation or test is null where
/// its size is 0. Batches have `dtype`; unset, that of x (float32 where x holds integers), which
/// condition and weight must have then.
///
/// Random     a pure function of rng: the parts, and the order of the rows in batches.
/// Throws     ConfigError (nothing left for training); what TensorSource throws.
/// Example    const Splits splits = split_tensors({.x = x});
CF_EXPORT Splits split_tensors(const Batch& rows, const SplitSizes& sizes = {},
                               const Rng& rng = Rng(0),
                               std::optional<at::ScalarType> dtype = std::nullopt);

}  // namespace contraflow::data
