#include "cli/estimator_cost.h"

#include <algorithm>
#include <cmath>

#include "cli/console.h"
#include "contraflow/log_det/roulette.h"
#include "contraflow/log_det/series.h"

namespace contraflow::cli {
namespace {

double expected_terms(const RussianRoulette& options) {
  constexpr double kNegligible = 1e-12;
  constexpr int64_t kMost = 100'000;
  double sum = 0.0;
  for (int64_t term = 1; term <= kMost; ++term) {
    const double p = survival_probability(options, term);
    if (p < kNegligible) break;
    sum += p;
  }
  return sum;
}

/// How fast survival falls in the end; 0 for Poisson, which falls faster than any power.
double survival_ratio(const RussianRoulette& options) {
  if (options.law == RouletteLaw::kPoisson) return 0.0;
  const int64_t far = options.exact_terms + std::ssize(options.survival) + 4;
  return survival_probability(options, far + 1) / survival_probability(options, far);
}

/// Bound on the ratio of one non-zero term of the series to the one before.
double term_ratio(const BlockForm& form, double kappa) {
  const double rho = kappa * std::max(std::abs(form.d / form.c), std::abs(form.b / form.a));
  return std::pow(rho, power_of_term(form, 2) - power_of_term(form, 1));
}

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

  EstimatorFacts operator()(const RussianRoulette& options) const {
    const double ratio = term_ratio(form, kappa);
    const double survival = survival_ratio(options);
    EstimatorFacts facts;
    facts.kind = "roulette";
    facts.expected_terms = expected_terms(options);
    facts.finite_variance = ratio * ratio < survival;
    facts.remark = std::string("roulette (") + enum_name(options.law) + "): unbiased, " +
                   fixed(facts.expected_terms, 2) + " terms expected, variance ";
    if (options.law == RouletteLaw::kPoisson) {
      facts.remark += "infinite: poisson survival falls faster than any power";
    } else {
      facts.remark += (facts.finite_variance ? "finite: " : "not known to be finite: ") +
                      fixed(ratio * ratio, 3) + (facts.finite_variance ? " < " : " >= ") +
                      fixed(survival, 3) + " (squared ratio of terms, survival ratio)";
    }
    return facts;
  }
};

}  // namespace

EstimatorFacts estimator_facts(const LogDetOptions& options, const BlockForm& form, double kappa) {
  return std::visit(Describe{form, kappa}, options);
}

}  // namespace contraflow::cli
