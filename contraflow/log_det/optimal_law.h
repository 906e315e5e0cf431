#pragma once

#include <vector>

#include "contraflow/core/export.h"

namespace contraflow {

/// What a roulette has to know about a series sum_k t_k, as plain numbers. Costs are in network
/// passes per row, variances in any one unit: only their ratios count.
struct TailProfile {
  /// S_k = E|T_k|^2, k = 1 .. n, T_k = t_k + t_{k+1} + ... the tails; S_{n+1} = 0.
  std::vector<double> energy = {};
  /// C_k: passes that term k takes beyond those before it.
  std::vector<double> cost = {};
  /// Passes that are there without any term.
  double fixed_cost = 0.0;
  /// Variance that remains when every term is computed: that of the probes.
  double probe_variance = 0.0;
};

/// Expected passes  C_0 + sum_k C_k P_k;  P_k = 0 beyond the table.
CF_EXPORT double expected_cost(const TailProfile& profile, const std::vector<double>& survival);
/// Variance  V_probe + sum_k (S_k - S_{k+1}) (1 / P_k - 1).
CF_EXPORT double expected_variance(const TailProfile& profile, const std::vector<double>& survival);

/// The survival probabilities 1 >= P_1 >= ... >= P_n > 0 of least cost x variance.
///
/// P_k = min(1, sqrt(lambda r_k)), r_k the slopes of the greatest convex minorant of the tail
/// energies over the cost (pool adjacent violators), lambda = cost / variance at the optimum.
/// Needs energy[k] > 0 and finite, cost > 0. Cost O(n^2).  Derivation: docs/numerics.md.
CF_EXPORT std::vector<double> optimal_survival(const TailProfile& profile);

}  // namespace contraflow
