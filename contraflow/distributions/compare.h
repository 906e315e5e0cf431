#pragma once

#include "contraflow/core/estimate.h"
#include "contraflow/core/export.h"
#include "contraflow/distributions/flow.h"

namespace contraflow {

/// log p_a(x) - log p_b(x) row by row, [B], nats, float64.
struct PairedLogProb {
  at::Tensor a, b;        ///< Mean over replicates of each model's log p(x).
  at::Tensor difference;  ///< a - b; 0 where both are -inf.
  at::Tensor
      standard_error;     ///< Of the difference: spread over replicates; 0 when nothing is random.
  at::Tensor bias_bound;  ///< Certified bound on its bias: the sum of both models'.
  int64_t replicates = 1;
};

/// Two models on the same rows with the same random numbers: row r, replicate k and chain member m
/// draw the same dequantization, probes and roulette in both, so that noise that they share cancels
/// in the difference. (Two members at the same place of the chains share draws; models of one
/// architecture share all of them.)
///
/// Shapes   x: [B, event], of the dtype and device of both models. Condition: each model that takes
///          one gets context.condition. No autograd.
/// Random   context.rng; replicate k is context.fork(k), as in Flow::log_prob_with_error.
/// Cost     `replicates` (>= 1) forwards of each model. With 1 the error is NaN where something is
///          random, and `is_random` says whether: false gives 0 errors.
/// Throws   ShapeError when the models' events differ, or x has none of their shapes; DomainError
///          for replicates < 1.
CF_EXPORT PairedLogProb paired_log_prob(const Flow& a, const Flow& b, const at::Tensor& x,
                                        const Context& context, int64_t replicates,
                                        bool is_random = true);

}  // namespace contraflow
