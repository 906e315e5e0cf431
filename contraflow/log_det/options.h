#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/core/randomness.h"

namespace contraflow {

enum class ProbeKind { kRademacher, kGaussian, kSphere };

constexpr auto enum_names(ProbeKind) {
  return std::array{std::pair{"rademacher", ProbeKind::kRademacher},
                    std::pair{"gaussian", ProbeKind::kGaussian},
                    std::pair{"sphere", ProbeKind::kSphere}};
}

enum class RouletteLaw { kGeometric, kPoisson, kGiven, kOptimal };

constexpr auto enum_names(RouletteLaw) {
  return std::array{
      std::pair{"geometric", RouletteLaw::kGeometric}, std::pair{"poisson", RouletteLaw::kPoisson},
      std::pair{"given", RouletteLaw::kGiven}, std::pair{"optimal", RouletteLaw::kOptimal}};
}

/// The whole Jacobian, then LU: no randomness, no bias. Cost: d JVPs and O(d^3) a sample.
struct ExactLogDet {
  static constexpr const char* kKind = "exact";
};

/// The first `terms` non-zero terms of the power series (i-ResNet): biased, with a certified bound.
struct TruncatedSeries {
  static constexpr const char* kKind = "truncated";
  int64_t terms = 10;
  int64_t probes = 1;
  ProbeKind probe = ProbeKind::kRademacher;
  /// Colour 0, 1, ... of each feature: probes of one colour at a time, so that features of one
  /// colour do not disturb one another (log_det/coloring.h). Empty: plain probes.
  std::vector<int64_t> colors = {};
};

/// The series, row by row until what is left is proven small: biased by at most `tolerance`, unless
/// `max_terms` end a row before (its bias bound says so). For evaluation.
struct AdaptiveSeries {
  static constexpr const char* kKind = "adaptive";
  /// Certified bound on |bias| of each row's log-determinant of one block, nats.
  double tolerance = 1e-4;
  int64_t max_terms = 1000;
  int64_t probes = 1;
  ProbeKind probe = ProbeKind::kRademacher;
  std::vector<int64_t> colors = {};
};

/// Krylov quadrature: `steps` products with J^T and an orthogonal basis give v . f(J) v as the
/// corner entry of f of a small matrix; biased, with a certified bound that falls with the
/// spectrum's own decay (docs/numerics.md). Euclidean norms only.
struct KrylovQuadrature {
  static constexpr const char* kKind = "krylov";
  int64_t steps = 12;
  int64_t probes = 1;
  ProbeKind probe = ProbeKind::kRademacher;
  std::vector<int64_t> colors = {};
};

/// Russian roulette over the series (Residual Flows, theorems 1 and 2): unbiased.
struct RussianRoulette {
  static constexpr const char* kKind = "roulette";
  /// Terms that are always computed. optimal: only before the first calibration, after which the
  /// measurement decides about every term.
  int64_t exact_terms = 2;
  RouletteLaw law = RouletteLaw::kGeometric;
  /// geometric: chance to stop after each term; the m-th random term survives with (1 - p)^(m - 1).
  double geometric_p = 0.15;
  /// poisson: mean number of random terms.
  double poisson_mean = 2.0;
  /// given: survival probabilities of the random terms, non-increasing, in (0, 1]; the last ratio
  /// continues geometrically.
  std::vector<double> survival = {};
  /// optimal: calls of prepare() (training steps) from one measurement of the block's series to the
  /// next; shorter at the start: 10, 20, 40, ...
  int64_t calibrate_every = 250;
  int64_t probes = 1;
  ProbeKind probe = ProbeKind::kRademacher;
};

using LogDetOptions =
    std::variant<ExactLogDet, TruncatedSeries, RussianRoulette, AdaptiveSeries, KrylovQuadrature>;

/// Whether the log-determinant is a sum of terms v . J^k v, whose products may be of reduced precision.
inline bool is_series(const LogDetOptions& options) {
  return std::holds_alternative<TruncatedSeries>(options) ||
         std::holds_alternative<AdaptiveSeries>(options) ||
         std::holds_alternative<RussianRoulette>(options);
}

/// Exact: none; roulette: unbiased; what cuts its series or quadrature off: biased.
inline Randomness randomness(const LogDetOptions& options) {
  if (std::holds_alternative<ExactLogDet>(options)) return Randomness::kNone;
  return std::holds_alternative<RussianRoulette>(options) ? Randomness::kUnbiased
                                                          : Randomness::kBiased;
}

template <class Field>
void visit(ExactLogDet& /*o*/, Field&& /*field*/) {}

/// The options of probes, which several estimators share.
template <class Options, class Field>
void visit_probes(Options& o, Field&& field) {
  field("probes", o.probes, at_least(1), "Random probes averaged in each trace.");
  field("probe", o.probe, "Law of the probes.");
  if constexpr (requires { o.colors; }) {
    field("colors", o.colors,
          "Colour of each feature, from 0: probes are drawn colour by colour; empty: plain.");
  }
}

template <class Field>
void visit(TruncatedSeries& o, Field&& field) {
  field("terms", o.terms, at_least(1), "Non-zero terms of the series.");
  visit_probes(o, field);
}

template <class Field>
void visit(AdaptiveSeries& o, Field&& field) {
  field("tolerance", o.tolerance, positive(),
        "Certified bias of a row's log-determinant of one block, nats, at which its series stops.");
  field("max_terms", o.max_terms, at_least(1), "Terms after which a row stops in any case.");
  visit_probes(o, field);
}

template <class Field>
void visit(KrylovQuadrature& o, Field&& field) {
  field("steps", o.steps, closed_interval(1, 200), "Products with the Jacobian for each probe.");
  visit_probes(o, field);
}

template <class Field>
void visit(RussianRoulette& o, Field&& field) {
  field("exact_terms", o.exact_terms, non_negative(),
        "Terms that are always computed (optimal: before it has measured).");
  field("law", o.law,
        "Law of the number of further terms; optimal: measured, least cost times variance.");
  field("geometric_p", o.geometric_p, open_interval(0.0, 1.0),
        "Geometric: chance to stop after each term.");
  field("poisson_mean", o.poisson_mean, positive(), "Poisson: mean number of random terms.");
  field("survival", o.survival, "Given: survival probability of each random term, non-increasing.");
  field("calibrate_every", o.calibrate_every, at_least(1),
        "Optimal: training steps from one measurement of the series to the next.");
  visit_probes(o, field);
}

/// `given` without probabilities, or ones that grow or leave (0, 1] -> ConfigError.
CF_EXPORT void validate(const RussianRoulette& options);

}  // namespace contraflow
