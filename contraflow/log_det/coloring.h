#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/log_det/options.h"

namespace contraflow {

/// Coloured probes for Jacobians that are sparse: banded, block or masked networks.
///
/// v . f(J) v for signs v is tr f(J) plus noise from the entries of f(J) off the diagonal. A probe
/// that is zero but for features of one colour has no noise from entries between colours; with one
/// probe a colour the diagonal is still counted once. When no two features of a colour are joined
/// by a path of at most k edges of J's graph, tr J, ..., tr J^k have no noise at all, and what is
/// left comes from the entries of higher powers, which decay with the distance. A band of
/// half-width b has such colours in `feature % (k b + 1)`; any others cost variance, never a bias.
///
/// Source  Tang & Saad 2012, "A probing method for computing the diagonal of a matrix inverse".

/// ConfigError unless there is one colour per feature, no colour between 0 and the largest is
/// missing, and the probes are Rademacher's: with others the diagonal would be noisy as well.
CF_EXPORT void check_colors(const std::vector<int64_t>& colors, ProbeKind probe, int64_t dim);

/// From probes [p, b, d] those of each colour, times sqrt(colours): [p * colours, b, d], whose
/// average over colours has the expectation of the plain ones. The colours of one probe are
/// neighbours.
CF_EXPORT at::Tensor colored(const at::Tensor& probes, const std::vector<int64_t>& colors);

}  // namespace contraflow
