#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "contraflow/core/column_info.h"
#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/data/table.h"

namespace contraflow::data {

/// What the columns of a table are taken for.
struct ColumnPlan {
  std::vector<std::string> names;  ///< Modelled, in the order of the table.
  std::vector<ColumnInfo> infos;   ///< Kinds and bounds, not yet centred and scaled.
  std::vector<LeftOut> left_out;   ///< Row numbers, constants, copies.
};

/// What a user says about columns: by name the word of a kind, or {"kind": ..., "lower": ...,
/// "upper": ...}. Null or empty = nothing.
///
/// Throws     ConfigError: a name that the table lacks, an unknown kind, bounds in the wrong order.
CF_EXPORT void check_kinds(const nlohmann::ordered_json& kinds,
                           const std::vector<std::string>& names, const std::string& source);

/// Looks at the columns of a table and decides what each is: the kind that `kinds` gives it, else
/// `bounds` ([low, high] of all, or empty), else a guess from its values, which description() says.
/// `chosen`: the user named these columns, so that none may be left out.
///
/// Types      table.rows: [N, D] of any type, finite.
/// Throws     ConfigError as check_kinds(); DomainError: a column or a combination of columns that
///            has no density (constant, a copy, a sum of others), which names them; a value that the
///            kind or the bounds exclude (row, column).
/// Cost       a sort of each column, and a factorisation of their covariance.
CF_EXPORT ColumnPlan plan_columns(const Table& table, const nlohmann::ordered_json& kinds,
                                  const std::vector<double>& bounds, bool chosen);

/// `info` with the center and scale of these training values [N] (float64), by quantiles: neither
/// heavy tails nor an absurd row set them.
CF_EXPORT ColumnInfo scaled(ColumnInfo info, const at::Tensor& values);

/// The column's numbers [N] on the whole line, before center and scale; whole numbers get 1/2.
CF_EXPORT at::Tensor on_the_line(const ColumnInfo& info, const at::Tensor& values);

/// What column c of the model is, in a line: "price: positive, logarithm".
CF_EXPORT std::string description(const Columns& columns, size_t c);

}  // namespace contraflow::data
