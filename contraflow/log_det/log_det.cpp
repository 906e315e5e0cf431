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
    const TermLaw own = law != nullptr ? *law : term_law(options, form, kappa.constant);
    return roulette_log_det(form, point, kappa.constant, options, own, rng, with_gradient);
  }
};

}  // namespace

LogDetEstimate estimate_log_det(const BlockForm& form, const NetPoint& point,
                                const LipschitzBound& kappa, const LogDetOptions& options,
                                const Rng& rng, bool with_gradient, const TermLaw* law) {
  const auto reduced = is_series(options) ? point.reduced() : nullptr;
  const NetPoint& used = reduced ? *reduced : point;
  return std::visit(Dispatch{form, used, kappa, rng, with_gradient, law}, options);
}

}  // namespace contraflow
