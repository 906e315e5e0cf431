#include "contraflow/evaluation/estimator_facts.h"

#include <numeric>

#include "contraflow/core/number_text.h"
#include "contraflow/log_det/roulette.h"

namespace contraflow {
namespace {

struct Describe {
  const BlockForm& form;
  double kappa;

  EstimatorFacts operator()(const ExactLogDet& /*options*/) const {
    return {.kind = "exact", .remark = "exact: no error"};
  }

  EstimatorFacts operator()(const TruncatedSeries& options) const {
    return {.kind = "truncated",
            .expected_terms = static_cast<double>(options.terms),
            .unbiased = false,
            .remark = "truncated after " + std::to_string(options.terms) +
                      " terms: biased, with a certified bound"};
  }

  EstimatorFacts operator()(const AdaptiveSeries& options) const {
    return {.kind = "adaptive",
            .expected_terms = static_cast<double>(options.max_terms),
            .unbiased = false,
            .remark = "adaptive: series until the certified bias of a row is at most " +
                      scientific(options.tolerance) + " nats a block, at most " +
                      std::to_string(options.max_terms) + " terms"};
  }

  EstimatorFacts operator()(const KrylovQuadrature& options) const {
    return {.kind = "krylov",
            .expected_terms = static_cast<double>(options.steps),
            .unbiased = false,
            .remark = "krylov: quadrature of " + std::to_string(options.steps) +
                      " products a probe: biased, with a certified bound"};
  }

  EstimatorFacts operator()(const RussianRoulette& options) const {
    const TermLaw law = term_law(options, form, kappa);
    EstimatorFacts facts;
    facts.kind = "roulette";
    facts.expected_terms = std::accumulate(law.survival.begin(), law.survival.end(), 0.0);
    const auto infinite = infinite_variance(options, form, kappa);
    facts.finite_variance = !infinite;
    facts.remark =
        std::string("roulette (") + enum_name(options.law) + "): unbiased, " +
        fixed(facts.expected_terms, 2) + " terms expected" +
        (options.law == RouletteLaw::kOptimal ? " before the first calibration; " : "; ") +
        infinite.value_or("finite variance, proven");
    return facts;
  }
};

}  // namespace

EstimatorFacts estimator_facts(const LogDetOptions& options, const BlockForm& form, double kappa) {
  return std::visit(Describe{form, kappa}, options);
}

}  // namespace contraflow
