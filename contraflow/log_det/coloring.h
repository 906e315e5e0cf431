#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "contraflow/log_det/options.h"
#include "contraflow/networks/contractive_net.h"

namespace contraflow {

/// Coloured probes for Jacobians that are sparse: banded, block or masked networks.
///
/// v . f(J) v for signs v is tr f(J) plus noise from the entries of f(J) off the diagonal. A probe
/// that is zero but for features of one colour has no noise from entries between colours; with one
/// probe a colour the diagonal is still counted once. When no two features of a colour are joined
/// by a path of at most k edges of J's graph, tr J, ..., tr J^k have no noise at all, and what is
/// left comes from the entries of higher powers, which decay with the distance. Source  Tang & Saad
/// 2012, "A probing method for computing the diagonal of a matrix inverse".

/// Which entries of J [d, d] are above `threshold` times the largest one, in any row of the batch:
/// bool [d, d] on the CPU. Cost: d JVPs. A pattern that misses entries costs variance, never a
/// bias.
at::Tensor jacobian_pattern(const NetPoint& point, double threshold = 1e-8);

/// Greedy colouring of the features by decreasing number of neighbours, neighbours being features
/// joined by a path of at most `power` edges of the pattern [d, d], bool, taken in both directions.
/// Returns the colour 0, 1, ... of each feature, for `colors` of an estimator's options. Cost:
/// power products of [d, d].
/// Throws  ShapeError unless the pattern is square; DomainError for power < 1.
std::vector<int64_t> color_features(const at::Tensor& pattern, int64_t power);

/// ConfigError unless there is one colour per feature, no colour between 0 and the largest is
/// missing, and the probes are Rademacher's: with others the diagonal would be noisy as well.
void check_colors(const std::vector<int64_t>& colors, ProbeKind probe, int64_t dim);

/// From probes [p, b, d] those of each colour, times sqrt(colours): [p * colours, b, d], whose
/// average over colours has the expectation of the plain ones. The colours of one probe are
/// neighbours.
at::Tensor colored(const at::Tensor& probes, const std::vector<int64_t>& colors);

}  // namespace contraflow
