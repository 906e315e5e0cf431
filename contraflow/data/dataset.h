#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/data/data_options.h"
#include "contraflow/data/source.h"
#include "contraflow/data/split_rule.h"

namespace contraflow::data {

/// What tells whether data are those that a model was trained on, wherever its rows stand.
struct DataIdentity {
  int64_t rows = 0;
  std::string checksum = "";  ///< Of the values of all rows that were read; their order is free.
  SplitRule split = {};
};

template <class Field>
void visit(DataIdentity& o, Field&& field) {
  field("rows", o.rows, non_negative(), "Rows that were read.");
  field("checksum", o.checksum, "Checksum of their values.");
  field("split", o.split, "What decides into which part a row falls.");
}

/// "12,000 rows with checksum 8c5b...": what tells data from others.
CF_EXPORT std::string identity_text(const DataIdentity& identity);

/// What a model knows of its training's data: they are opened again with the same columns, and a
/// row falls into the part that it fell into.
struct KnownData {
  Columns columns;
  DataIdentity identity;
  /// Data that are no longer the same are refused, or opened all the same: the validation and the
  /// test then hold no row that was trained on.
  bool allow_changed = false;
};

/// Data ready to train on.
struct Dataset {
  std::string name;
  /// Disjoint parts; validation or test is null where its size is 0.
  Splits splits;
  /// What the columns mean; `weight` is empty where the weights come from a file of their own.
  Columns columns;
  /// Of a table of columns and of images; unset for toys, digits and other events.
  std::optional<DataIdentity> identity = std::nullopt;
  /// What was read, guessed and left out, a line each.
  std::vector<std::string> notes = {};
};

/// Opens what `options` name. Files are read whole; score large files with open_rows().
///
/// Shapes     batches: x [B] + columns.event_shape, condition [B, columns.condition_size()],
///            weight [B].
/// Types      `dtype` (float32 or float64), CPU. Tables of columns: float64 whatever `dtype` is, to
///            be standardised in it. Images stay bytes in memory.
/// Splits     toys: an endless training stream, and fixed validation and test sets, from three
///            independent streams. Tables of columns and images: split_rule.h; the test part that
///            images were published with is the test. Digits, levels and other events: a permutation
///            by seed, cut in three.
/// Random     a pure function of options.seed.
/// Throws     ConfigError (unknown name, with the nearest one; options that contradict each other or
///            the data), IoError, DomainError (missing, infinite or out-of-range values, constant
///            columns; weights that are negative, or all zero in a part), ShapeError (fewer than
///            two rows; a file of weights that is not one column of as many).
/// Known      the data of a trained model: DomainError where they changed, with both row counts.
/// Example    const Dataset data = open_data({.name = "digits", .label = "label"});
CF_EXPORT Dataset open_data(const DataOptions& options, at::ScalarType dtype = at::kFloat,
                            const KnownData* known = nullptr);

/// Every name that is not a path: the toy densities, "digits" and "digits_images".
CF_EXPORT std::vector<std::string> builtin_data_names();

}  // namespace contraflow::data
