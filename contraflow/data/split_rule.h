#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/data/splits.h"

namespace contraflow::data {

/// What decides into which part a row falls.
enum class SplitBy {
  kRow,      ///< The values of the row: copies of it fall on one side.
  kRowCopy,  ///< The same, but each copy for itself, for rounded data, where equal rows are common.
  kGroup,    ///< The value of one column.
  kTime,     ///< The order of one column: the last rows are the test, those before them validate.
};

constexpr auto enum_names(SplitBy) {
  return std::array{std::pair{"row", SplitBy::kRow}, std::pair{"row_copy", SplitBy::kRowCopy},
                    std::pair{"group", SplitBy::kGroup}, std::pair{"time", SplitBy::kTime}};
}

/// Cuts a table in three so that a row falls on the same side wherever it stands in the file, and
/// also after other rows came or went: every row has a place, and the rule holds two borders.
///   kTime: the place is the time;  test: place > test_border;  validation: > validation_border
///   else:  the place is a number in [0, 1) made of the values and the seed;
///          test: place < test_border;  validation: < validation_border
struct SplitRule {
  SplitBy by = SplitBy::kRow;
  int64_t seed = 0;
  double test_border = 0.0;
  double validation_border = 0.0;
};

template <class Field>
void visit(SplitRule& o, Field&& field) {
  field("by", o.by, "What decides where a row falls: row, row_copy, group or time.");
  field("seed", o.seed, "Seed of the places.");
  field("test_border", o.test_border, "Rows beyond it are the test.");
  field("validation_border", o.validation_border, "Other rows beyond it are the validation.");
}

/// Places [N] of rows, by their values `rows` [N, D] or, by group and time, their `key` [N].
CF_EXPORT at::Tensor places_of(SplitBy by, int64_t seed, const at::Tensor& rows,
                               const at::Tensor& key);

/// Places [N] in [0, 1) of rows that a hash stands for; copies have one place.
CF_EXPORT at::Tensor places_of(const std::vector<uint64_t>& hashes);

/// The rule under which about as many of the rows are test and validation as `sizes` say: as many
/// where no two rows share a place. ConfigError when nothing is left for training.
CF_EXPORT SplitRule make_split_rule(SplitBy by, int64_t seed, const at::Tensor& places,
                                    const SplitSizes& sizes);

/// The rows of each part, in the order of their places (so a part's first rows are a sample of it).
CF_EXPORT SplitRows apply(const SplitRule& rule, const at::Tensor& places);

}  // namespace contraflow::data
