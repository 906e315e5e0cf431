#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <vector>

#include "contraflow/distributions/flow.h"
#include "contraflow/log_det/series.h"
#include "contraflow/transforms/block_relation.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/contractive_block.h"

namespace contraflow::testing {

/// How a block estimates its log-determinant in these measurements.
struct Scheme {
  enum class Draws { kPerRow, kPerBatch };
  /// The law of a block.
  std::function<TermLaw(const ContractiveBlock&)> law;
  /// kPerBatch: one number of terms for all rows of the batch, as in the references' code.
  Draws draws = Draws::kPerRow;
};

/// u = sum_{k <= N} k s_k / P_k K^(k-1) v with one N for the batch and independent signs v.
inline void draw_per_batch(const BlockForm& form, const NetPoint& point, const TermLaw& law,
                           const Rng& rng, LogDetEstimate& out) {
  const BlockForm shifted = form.shifted(law.shift);
  const double uniform = rng.fork("one").uniform_at(0, 0);
  const at::Tensor& like = point.value();
  out.t = rng.fork("signs").rademacher({like.size(0), like.size(1)}, like.options()).unsqueeze(0);
  at::Tensor w = out.t, u = at::zeros_like(w);
  for (int j = 1, power = 0; uniform < law.survival[static_cast<size_t>(j - 1)]; ++j) {
    const int next = power_of_term(shifted, j);
    for (; power < next - 1; ++power) w = shifted_vjp(point, w, law.shift);
    u += w * (next * series_coefficient(shifted, next) / law.survival[static_cast<size_t>(j - 1)]);
  }
  out.u = u;
}

/// The gradient of the mean of -log_prob over the batch x with respect to the blocks' parameters;
/// for flows of contractive blocks and diagonal maps over a standard normal base.
inline at::Tensor batch_gradient(const Flow& flow, const at::Tensor& x, const Scheme& scheme,
                                 const Rng& rng) {
  const std::vector<Member> members = flow.transform()->members();
  const auto rows = static_cast<double>(x.size(0));
  std::vector<BlockRelation> relations(members.size());
  std::vector<RelationResult> results(members.size());
  at::Tensor value = x;
  for (size_t k = 0; k < members.size(); ++k) {
    const auto block = std::dynamic_pointer_cast<ContractiveBlock>(members[k].transform);
    if (!block) {
      value = members[k].transform->forward(value).value.detach();
      continue;
    }
    const ContractiveBlockOptions& o = block->options();
    const Rng own = rng.fork(k);
    relations[k] = {block->form(), block->net(),      RussianRoulette{},
                    o.solver,      o.train_tolerance, o.backward_tolerance,
                    false,         scheme.law(*block)};
    results[k] = evaluate_relation(relations[k], value, {}, own, RelationParts::kLogDetAndGradient);
    if (scheme.draws == Scheme::Draws::kPerBatch) {
      const auto point = block->net()->linearize(results[k].w, {});
      draw_per_batch(block->form(), *point, *relations[k].law, own, results[k].log_det);
    }
    value = results[k].y;
  }
  at::Tensor bar = value / rows;
  const at::Tensor c = at::full({x.size(0)}, -1 / rows, x.options());
  std::vector<at::Tensor> flat;
  for (size_t k = members.size(); k-- > 0;) {
    if (relations[k].net) {
      const NetGradients g = relation_gradients(relations[k], results[k], {}, bar, c);
      for (const at::Tensor& p : g.parameters) flat.push_back(p.flatten());
      bar = g.w;
      continue;
    }
    const at::Tensor ends = at::eye(2, x.options()).narrow(1, 0, 1).expand({2, x.size(1)});
    const at::Tensor images = members[k].transform->forward(ends).value.detach();
    bar = bar * (images[0] - images[1]);
  }
  return at::cat(flat);
}

/// Sum over the parameters of the variance of batch_gradient() over estimator draws, and its
/// standard error from the spread between replicates.
struct GradientVariance {
  double value, error;
};

inline GradientVariance gradient_variance(const Flow& flow, const at::Tensor& x,
                                          const Scheme& scheme, int64_t replicates,
                                          const Rng& rng) {
  std::vector<at::Tensor> draws;
  for (int64_t r = 0; r < replicates; ++r) {
    draws.push_back(batch_gradient(flow, x, scheme, rng.fork(static_cast<uint64_t>(r))));
  }
  const at::Tensor all = at::stack(draws).to(at::kDouble);
  const auto n = static_cast<double>(replicates);
  const at::Tensor squares = (all - all.mean(0)).pow(2).sum(1) * (n / (n - 1));
  return {squares.mean().item<double>(), squares.std().item<double>() / std::sqrt(n)};
}

}  // namespace contraflow::testing
