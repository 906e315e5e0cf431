#pragma once

#include <functional>

#include "contraflow/distributions/flow.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/optimizer.h"

namespace contraflow {

/// U(x) [B] of points x [B, event], differentiable: the target density is exp(-U(x)) / Z.
using Energy = std::function<at::Tensor(const at::Tensor& x)>;

/// Samples of a flow with a graph, by which their gradients reach its parameters.
struct DifferentiableSample {
  at::Tensor sample;    ///< [N, event]
  at::Tensor log_prob;  ///< [N], nats, of the flow at the sample
};

/// x = inverse(z) for base samples z, and log q(x) = log p(z) - log|det dx/dz|. Differentiable in
/// the transform's parameters, in Phase::kTrain; the base has none.
DifferentiableSample differentiable_sample(const Flow& flow, int64_t count, const Rng& rng);

struct ReverseKlOptions {
  int64_t steps = 2000;
  int64_t batch_size = 500;
  AdamOptions adam = {};
  int64_t seed = 0;
};

template <class Field>
void visit(ReverseKlOptions& o, Field&& field) {
  field("steps", o.steps, at_least(1), "Optimizer steps.");
  field("batch_size", o.batch_size, at_least(2), "Samples of a step.");
  field("adam", o.adam, "The optimizer.");
  field("seed", o.seed, "Seed of the samples.");
}

/// Fits a flow to a known energy: Adam on the mean of log q(x) + U(x) over samples x of the flow,
/// which is KL(q, p) - log Z. No data are needed. Reverse KL seeks modes: a mode that no sample
/// meets is missed.
///
/// State      each step prepares the flow: with samples of its own where data are due (ActNorm).
/// Gradient   through samples (pathwise), by the block's own reverse of its inverse.
/// Returns    the last step's loss with its standard error, nats.
/// Random     Rng(seed), step for steps.
/// Throws     ConfigError (options; a conditional flow; a base with parameters), NumericsError (a
/// loss or
///            gradient that is not finite, before the step), ConvergenceError.
/// Source     Rezende and Mohamed 2015, arXiv:1505.05770.
MeanWithError fit_reverse_kl(Flow& flow, const Energy& energy, const ReverseKlOptions& options);

/// Mean of log q(x) + U(x) over `count` samples, Phase::kEvaluate, without a graph: KL(q, p) - log
/// Z.
MeanWithError reverse_kl(const Flow& flow, const Energy& energy, int64_t count, const Rng& rng);

}  // namespace contraflow
