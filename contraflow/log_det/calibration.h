#pragma once

#include <optional>

#include "contraflow/core/export.h"
#include "contraflow/log_det/log_det.h"
#include "contraflow/log_det/optimal_law.h"

namespace contraflow {

/// Whose variance counts: that of the gradient (training), or of the value (evaluation).
enum class RouletteGoal { kGradient, kValue };

/// What a calibration found, as plain numbers.
struct Calibration {
  double shift = 0.0;
  /// P_1 >= P_2 >= ... > 0 of the terms that were measured, kMostMeasuredTerms at most.
  std::vector<double> survival = {};
  /// Measured ratio of one term's size to the size of the one before.
  double ratio = 0.0;
  /// Expected network passes of a row's step in this block, those without a term included.
  double passes = 0.0;
  /// Cost x variance of roulette geometric(.5) + 2, without a shift, over that of this law, both by
  /// the measured tails and with independent draws.
  double gain = 0.0;
};

constexpr int64_t kMostMeasuredTerms = 64;
constexpr int64_t kMostMeasuredRows = 256;

/// Measures the series at `point` and chooses shift and survival probabilities.
///
/// Tails      kGradient: of u = sum_k k s_k K^(k-1) v, squared norms; kValue: of sum_k s_k v.K^k v.
///            Mean over rows and two independent sets of options.probes probes.
/// Shift      0, the measured tr J / d, or half of it, kept admissible for kappa; not 0 only where
///            it lowers cost x variance by 5 %.
/// Cost       at most 3 chains of 64 terms on at most 256 rows (fewer for wide events).
/// Random     rng. Same state, device and build give the same numbers.
/// Returns    nullopt when a measured number is not finite, or all tails are 0.
CF_EXPORT std::optional<Calibration> calibrate(const BlockForm& form, const NetPoint& point,
                                               double kappa, const RussianRoulette& options,
                                               RouletteGoal goal, const Rng& rng);

/// Expected network passes of a row: those without a term (gradient: 7, of which the reverse of
/// each further probe 2; value: 2; solves of an implicit form 16) and those of the terms.
CF_EXPORT double expected_passes(const BlockForm& form, const TermLaw& law, RouletteGoal goal,
                                 int64_t probes);

/// The law of a calibration for Lip(G) <= kappa now: its probabilities, continued by the measured
/// ratio, but with rho the certified ratio of terms, not below rho^(3/2) (variance proven finite)
/// and not above rho. nullopt when the shift is not admissible for kappa any more.
CF_EXPORT std::optional<TermLaw> calibrated_law(const BlockForm& form, double kappa, double shift,
                                                const std::vector<double>& survival, double ratio);

}  // namespace contraflow
