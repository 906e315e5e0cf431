#pragma once

#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"
#include "contraflow/log_det/block_form.h"
#include "contraflow/log_det/options.h"

namespace contraflow {

/// The roulette that is in force, as plain numbers: the series of form.shifted(shift) in powers of
/// K = J - shift I, coefficients series_coefficient(form.shifted(shift), power), term j kept with
/// probability survival[j - 1] and then divided by it.
struct TermLaw {
  double shift = 0.0;
  /// P_1 >= P_2 >= ... > 0 of the non-zero terms, down to below 2^-53, which no draw meets.
  std::vector<double> survival = {};
};

/// `head` continued geometrically by `ratio` in (0, 1) to below 2^-53 (4,096 terms at most).
CF_EXPORT std::vector<double> extend_survival(std::vector<double> head, double ratio);

/// The law of the options. `optimal` knows nothing before it is calibrated: then it is geometric
/// with the certified ratio rho of the terms for kappa as survival ratio, after `exact_terms`:
/// rho > rho^2, so the variance is finite.
CF_EXPORT TermLaw term_law(const RussianRoulette& options, const BlockForm& form, double kappa);

/// Why the variance of the law may be infinite for Lip(G) <= kappa, one line; nullopt where kappa
/// proves it finite. Poisson: for every kappa > 0. Others: from squared ratio of terms >= ratio of
/// survival probabilities on.
CF_EXPORT std::optional<std::string> infinite_variance(const RussianRoulette& options,
                                                       const BlockForm& form, double kappa);

/// Terms that each of `rows` samples computes, int64 on the CPU.
///
/// Row r draws u_r = frac(shift + r * golden ratio), r its absolute number, and computes term j
/// when u_r < P_j. Each u_r is uniform, so each row is unbiased on its own; over a batch the u_r
/// are spread evenly, so the number of rows per term is within O(log B) of B P_j, and a split batch
/// draws what the whole would have. (docs/decisions/0003-stratified-roulette.md)
CF_EXPORT at::Tensor draw_term_counts(const std::vector<double>& survival, int64_t rows,
                                      const Rng& rng);

}  // namespace contraflow
