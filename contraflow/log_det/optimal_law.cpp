#include "contraflow/log_det/optimal_law.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace contraflow {
namespace {

// Neighbouring terms that get one probability.
struct Pool {
  double drop;  // of the tail energy: sum of nu_k
  double cost;
  size_t terms;
  double slope() const { return drop / cost; }
};

double drop_of(const TailProfile& profile, size_t k) {
  const double next = k + 1 < profile.energy.size() ? profile.energy[k + 1] : 0.0;
  return profile.energy[k] - next;
}

// Slopes fall from pool to pool: the greatest convex minorant of the energies over the cost.
std::vector<Pool> pooled(const TailProfile& profile) {
  std::vector<Pool> pools;
  for (size_t k = 0; k < profile.energy.size(); ++k) {
    pools.push_back({drop_of(profile, k), profile.cost[k], 1});
    while (pools.size() > 1 && pools[pools.size() - 2].slope() <= pools.back().slope()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back() = {pools.back().drop + last.drop, pools.back().cost + last.cost,
                      pools.back().terms + last.terms};
    }
  }
  return pools;
}

std::vector<double> survival_of(const std::vector<Pool>& pools, double lambda) {
  std::vector<double> out;
  for (const Pool& pool : pools) {
    out.insert(out.end(), pool.terms, std::min(1.0, std::sqrt(lambda * pool.slope())));
  }
  return out;
}

}  // namespace

double expected_cost(const TailProfile& profile, const std::vector<double>& survival) {
  double sum = profile.fixed_cost;
  for (size_t k = 0; k < survival.size(); ++k) {
    // Terms that were not measured cost what the last one did.
    sum += survival[k] * (k < profile.cost.size() ? profile.cost[k] : profile.cost.back());
  }
  return sum;
}

double expected_variance(const TailProfile& profile, const std::vector<double>& survival) {
  double sum = profile.probe_variance;
  for (size_t k = 0; k < profile.energy.size(); ++k) {
    if (k >= survival.size()) return std::numeric_limits<double>::infinity();
    sum += drop_of(profile, k) * (1 / survival[k] - 1);
  }
  return sum;
}

std::vector<double> optimal_survival(const TailProfile& profile) {
  const std::vector<Pool> pools = pooled(profile);
  std::vector<double> best;
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](double lambda) {
    std::vector<double> survival = survival_of(pools, lambda);
    const double product = expected_cost(profile, survival) * expected_variance(profile, survival);
    if (!best.empty() && product >= least) return;
    least = product;
    best = std::move(survival);
  };
  // With the first m pools at 1, lambda = (C_0 + cost of them) / (V_probe - energy after them);
  // or the optimum lies where pool m just reaches 1.
  double cost = profile.fixed_cost;
  double energy = profile.energy.front();
  for (const Pool& pool : pools) {
    if (profile.probe_variance > energy) consider(cost / (profile.probe_variance - energy));
    consider(1 / pool.slope());
    cost += pool.cost;
    energy -= pool.drop;
  }
  return best;
}

}  // namespace contraflow
