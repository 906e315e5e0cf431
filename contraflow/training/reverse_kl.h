#pragma once

#include <functional>

#include "contraflow/distributions/flow.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/objective.h"
#include "contraflow/training/trainer.h"

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

/// The mean of log q(x) + U(x) over samples x of the flow q, which is KL(q, p) - log Z for
/// p = exp(-U)/Z: never below -log Z. No data are needed. Reverse KL seeks modes: a mode that no
/// sample meets is missed, and the loss does not show it.
///
/// State      each step prepares the flow: with samples of its own where data are due (ActNorm).
/// Gradient   through the samples (pathwise), by the block's own reverse of its inverse.
/// Validation the same mean over other samples, in Phase::kEvaluate.
/// Random     as for every objective, a function of the step and the seed.
/// Throws     ConfigError (a conditional flow; a base with parameters).
/// Source     Rezende and Mohamed 2015, arXiv:1505.05770.
class ReverseKl final : public Objective {
 public:
  explicit ReverseKl(Energy energy) : energy_(std::move(energy)) {}

  void check(const Flow& flow, const TrainingOptions& options) const override;
  void initialise(Flow& flow, int64_t rows, const at::TensorOptions& kind,
                  const Rng& rng) const override;
  StepLoss add_gradient(Flow& flow, const ObjectiveStep& step) const override;
  MeanWithError validate(const Flow& flow, int64_t rows, int64_t batch_size,
                         const Rng& rng) const override;
  std::string origin(const Flow& flow, const FlatParameters& parameters,
                     const StepLoss& step) const override;

 private:
  Energy energy_;
};

/// Fits a flow to a known energy: fit() with ReverseKl, whatever options.objective says. Batches,
/// validations and initialisation take samples of the flow instead of rows.
///
/// Throws     as fit(): ConfigError (options; a conditional flow; a base with parameters),
///            NumericsError (a loss or gradient that is not finite, before the step),
///            ConvergenceError.
/// Example    fit_reverse_kl(*flow, [](const at::Tensor& x) { return energy(EnergyKind::kU1, x); },
///                           {.steps = 2000});
TrainReport fit_reverse_kl(Flow& flow, const Energy& energy, TrainingOptions options,
                           const TrainerHooks& hooks = {});

/// A flow q against exp(-U)/Z, by samples of the flow.
struct ReverseKlReport {
  MeanWithError loss;  ///< Of log q(x) + U(x), nats: KL(q, p) - log Z.
  /// log of the mean of exp(-U(x)) / q(x): Z by importance sampling. Below the true log Z by more
  /// than its error, the flow misses a mode.
  double log_z = 0.0;
  double log_z_error = 0.0;     ///< Of the spread of those ratios, to first order.
  double effective_rows = 0.0;  ///< Of the samples under those ratios; all of them when q = p.
};

/// `count` samples, Phase::kEvaluate, without a graph, some thousand at a time. log_z and
/// effective_rows need a log q without noise (an exact log-determinant). Throws as Flow::sample().
ReverseKlReport measure_reverse_kl(const Flow& flow, const Energy& energy, int64_t count,
                                   const Rng& rng);

}  // namespace contraflow
