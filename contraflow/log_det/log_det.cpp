#include "contraflow/log_det/log_det.h"

#include "contraflow/log_det/adaptive.h"
#include "contraflow/log_det/exact.h"
#include "contraflow/log_det/krylov.h"
#include "contraflow/log_det/series.h"

namespace contraflow {
namespace {

struct Dispatch {
  const BlockForm& form;
  const NetPoint& point;
  LipschitzBound kappa;
  const Rng& rng;
  bool with_gradient;
  const TermLaw* law;

  LogDetEstimate operator()(const ExactLogDet& /*options*/) const {
    return exact_log_det(form, point, with_gradient);
  }
  LogDetEstimate operator()(const TruncatedSeries& options) const {
    return truncated_log_det(form, point, kappa, options, rng, with_gradient);
  }
  LogDetEstimate operator()(const AdaptiveSeries& options) const {
    return adaptive_log_det(form, point, kappa, options, rng, with_gradient);
  }
  LogDetEstimate operator()(const KrylovQuadrature& options) const {
    return krylov_log_det(form, point, kappa, options, rng, with_gradient);
  }
  LogDetEstimate operator()(const RussianRoulette& options) const {
    if (law != nullptr) return roulette_log_det(form, point, options, *law, rng, with_gradient);
    const TermLaw own = term_law(options, form, kappa.constant);
    return roulette_log_det(form, point, options, own, rng, with_gradient);
  }
};

}  // namespace

LogDetEstimate estimate_log_det(const BlockForm& form, const NetPoint& point,
                                const LipschitzBound& kappa, const LogDetOptions& options,
                                const Rng& rng, bool with_gradient, const TermLaw* law) {
  return std::visit(Dispatch{form, point, kappa, rng, with_gradient, law}, options);
}

}  // namespace contraflow
