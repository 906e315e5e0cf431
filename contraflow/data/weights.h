#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "contraflow/core/export.h"
#include "contraflow/data/source.h"

namespace contraflow::data {

/// Row weights: what a row counts in a mean, sum(w v) / sum(w). An integer weight k counts as k
/// equal rows; the ratio p(x)/r(x) makes rows drawn from r stand for rows of p. The scale is free.

/// Weights [N] that are finite, >= 0 and not all zero, of any floating dtype; DomainError
/// otherwise, which names the first bad row. Cost: one pass.
CF_EXPORT void check_weights(std::string_view where, std::string_view name,
                             const at::Tensor& weight);

/// (sum w)^2 / sum w^2, in rows: equal rows that would give a mean about the same error. N for
/// equal weights, 1 where one row has all the weight. Computed in float64.
///
/// Source     Kish 1965, Survey Sampling, section 11.7.
CF_EXPORT double effective_rows(const at::Tensor& weight);

/// As many rows as `batch` has, each taken about N w / sum(w) times, in order and without a weight:
/// what stands for the weighted rows where nothing takes weights. Without weights, or with equal
/// ones, the rows themselves. Nothing is drawn at random. The weights are those that
/// check_weights() accepts.
CF_EXPORT Batch rows_by_weight(const Batch& batch);

}  // namespace contraflow::data
