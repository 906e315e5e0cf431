#pragma once

#include <vector>

#include "contraflow/core/rng.h"
#include "contraflow/log_det/options.h"

namespace contraflow {

/// Probability that term j (1-based, counting non-zero terms only) is computed: 1 for the exact
/// terms, then P(N >= j - exact_terms). Non-increasing.
double survival_probability(const RussianRoulette& options, int64_t term);

/// Terms that each of `rows` samples computes, int64 on the CPU.
///
/// Row r draws u_r = frac(shift + r * golden ratio), r its absolute number, and computes term j
/// when u_r < P_j. Each u_r is uniform, so each row is unbiased on its own; over a batch the u_r
/// are spread evenly, so the number of rows per term is within O(log B) of B P_j, and a split batch
/// draws what the whole would have. (docs/decisions/0003-stratified-roulette.md)
at::Tensor draw_term_counts(const RussianRoulette& options, int64_t rows, const Rng& rng);

/// Variance of sum_j t_j 1{j <= N} / P_j for fixed terms t:  sum_j (T_j^2 - T_{j+1}^2) / P_j -
/// T_1^2, T_j the tail sums.
double roulette_variance(const RussianRoulette& options, const std::vector<double>& terms);

}  // namespace contraflow
