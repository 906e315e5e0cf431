#pragma once

#include "contraflow/log_det/log_det.h"

namespace contraflow {

/// The random branches of estimate_log_det().
LogDetEstimate truncated_log_det(const BlockForm& form, const NetPoint& point, double kappa,
                                 const TruncatedSeries& options, const Rng& rng,
                                 bool with_gradient);
LogDetEstimate roulette_log_det(const BlockForm& form, const NetPoint& point,
                                const RussianRoulette& options, const Rng& rng, bool with_gradient);

/// Probes [p, b, d]: zero mean, identity covariance.
at::Tensor draw_probes(ProbeKind kind, int64_t probes, int64_t batch, int64_t dim,
                       const at::TensorOptions& options, const Rng& rng);

/// Factor of |v| |(J^T)^power v| in the certified bound on the series beyond `power`.
double tail_bound_factor(const BlockForm& form, int power, double kappa);

/// The power of J in the j-th non-zero term (1-based): odd powers only for |D/C| = |B/A| of
/// opposite sign (monotone).
int power_of_term(const BlockForm& form, int64_t term);

}  // namespace contraflow
