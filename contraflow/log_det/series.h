#pragma once

#include "contraflow/core/export.h"
#include "contraflow/log_det/coloring.h"
#include "contraflow/log_det/log_det.h"
#include "contraflow/log_det/roulette.h"

namespace contraflow {

/// The random branches of estimate_log_det().
CF_EXPORT LogDetEstimate truncated_log_det(const BlockForm& form, const NetPoint& point,
                                           const LipschitzBound& kappa,
                                           const TruncatedSeries& options, const Rng& rng,
                                           bool with_gradient);
CF_EXPORT LogDetEstimate roulette_log_det(const BlockForm& form, const NetPoint& point,
                                          double kappa, const RussianRoulette& options,
                                          const TermLaw& law, const Rng& rng, bool with_gradient);

/// (J^T - shift I) u.
CF_EXPORT at::Tensor shifted_vjp(const NetPoint& point, const at::Tensor& u, double shift);

/// Probes [p, b, d]: zero mean, identity covariance.
///
/// Rademacher: each probe by itself is a uniform choice of signs, but the probes of consecutive
/// rows are orthogonal columns of one Hadamard matrix with random signs of its rows: their v v^T
/// average to I, and with them the noise that rows have in common averages away. A row's probes
/// depend on its absolute number only. (docs/decisions/0007-orthogonal-probes.md)
CF_EXPORT at::Tensor draw_probes(ProbeKind kind, int64_t probes, int64_t batch, int64_t dim,
                                 const at::TensorOptions& options, const Rng& rng);

/// The same, drawn one by one: independent of each other, where those above are orthogonal. Masked
/// by colours, orthogonal signs may agree on a whole colour.
CF_EXPORT at::Tensor draw_independent_probes(ProbeKind kind, int64_t probes, int64_t batch,
                                             int64_t dim, const at::TensorOptions& options,
                                             const Rng& rng);

/// The probes that options ask for [p, b, d]: plain ones, or `probes` independent sets of one for
/// each colour.
template <class Options>
at::Tensor draw_probes(const Options& options, int64_t batch, int64_t dim,
                       const at::TensorOptions& tensor_options, const Rng& rng) {
  if (options.colors.empty())
    return draw_probes(options.probe, options.probes, batch, dim, tensor_options, rng);
  check_colors(options.colors, options.probe, dim);
  return colored(
      draw_independent_probes(options.probe, options.probes, batch, dim, tensor_options, rng),
      options.colors);
}

/// Factor of |v|_p |(J^T)^power v|_p* in the certified bound on the series beyond `power`.
CF_EXPORT double tail_bound_factor(const BlockForm& form, int power, double kappa);

/// The bound itself [b], mean over probes; v and vector = (J^T)^power v [p, b, d].
CF_EXPORT at::Tensor tail_bound(const BlockForm& form, const at::Tensor& v,
                                const at::Tensor& vector, int power, const LipschitzBound& kappa);

/// dim log|C / A| for each row of `like` [b, dim].
CF_EXPORT at::Tensor log_constant(const BlockForm& form, const at::Tensor& like);

/// Standard error of the mean over independent values [p, b]; undefined for one.
CF_EXPORT at::Tensor spread_error(const at::Tensor& values_pb);
/// That of the mean over probes; undefined for one probe (one set of coloured ones). Rademacher
/// probes of a row are orthogonal: for whole groups of them the mean is the trace itself, and the
/// error 0; for a part of one the spread overstates it.
CF_EXPORT at::Tensor probe_standard_error(const at::Tensor& values_pb, ProbeKind kind, int64_t dim);
template <class Options>
at::Tensor probe_standard_error(const at::Tensor& values_pb, const Options& options, int64_t dim) {
  // The colours of one set sum up; only sets differ at random.
  const at::Tensor sets = values_pb.unflatten(0, {options.probes, -1}).mean(1);
  if (!options.colors.empty()) return spread_error(sets);
  return probe_standard_error(sets, options.probe, dim);
}

}  // namespace contraflow
