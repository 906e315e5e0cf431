#pragma once

#include "contraflow/log_det/log_det.h"
#include "contraflow/log_det/roulette.h"

namespace contraflow {

/// The random branches of estimate_log_det().
LogDetEstimate truncated_log_det(const BlockForm& form, const NetPoint& point, double kappa,
                                 const TruncatedSeries& options, const Rng& rng,
                                 bool with_gradient);
LogDetEstimate roulette_log_det(const BlockForm& form, const NetPoint& point,
                                const RussianRoulette& options, const TermLaw& law, const Rng& rng,
                                bool with_gradient);

/// (J^T - shift I) u.
at::Tensor shifted_vjp(const NetPoint& point, const at::Tensor& u, double shift);

/// Probes [p, b, d]: zero mean, identity covariance.
///
/// Rademacher: each probe by itself is a uniform choice of signs, but the probes of consecutive
/// rows are orthogonal columns of one Hadamard matrix with random signs of its rows: their v v^T
/// average to I, and with them the noise that rows have in common averages away. A row's probes
/// depend on its absolute number only. (docs/decisions/0007-orthogonal-probes.md)
at::Tensor draw_probes(ProbeKind kind, int64_t probes, int64_t batch, int64_t dim,
                       const at::TensorOptions& options, const Rng& rng);

/// Factor of |v| |(J^T)^power v| in the certified bound on the series beyond `power`.
double tail_bound_factor(const BlockForm& form, int power, double kappa);

}  // namespace contraflow
