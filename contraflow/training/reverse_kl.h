#pragma once

#include <functional>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/training/flow_objective.h"
#include "contraflow/training/trainer.h"

namespace contraflow {

/// U(x) [B] of points x [B, event], differentiable: the target density is exp(-U(x)) / Z.
using Energy = std::function<at::Tensor(const at::Tensor& x)>;

/// The mean of log q(x) + U(x) over samples x of the flow q, which is KL(q, p) - log Z for
/// p = exp(-U)/Z: never below -log Z. No data are needed. Reverse KL seeks modes: a mode that no
/// sample meets is missed, and the loss does not show it.
///
/// State      each step prepares the flow: with samples of its own where data are due (ActNorm).
/// Gradient   through the samples (pathwise): through the base's draw, and by the block's own
///            reverse of its inverse.
/// Validation the same mean over other samples, in Phase::kEvaluate.
/// Random     as for every objective, a function of the step and the seed.
/// Ranks      each draws its rows of the batch.
/// Throws     ConfigError (a conditional flow; a base that learns what its draw has no gradient
///            in, such as the weights of a mixture).
/// Source     Rezende and Mohamed 2015, arXiv:1505.05770.
/// Example    fit(ReverseKl(flow, energy), {.objective = "reverse_kl", .steps = 2000});
class CF_EXPORT ReverseKl final : public FlowObjective {
 public:
  static constexpr const char* kName = "reverse_kl";

  ReverseKl(FlowPtr flow, Energy energy)
      : FlowObjective(std::move(flow)), energy_(std::move(energy)) {}

  std::string name() const override { return kName; }
  void check(const TrainingOptions& options) const override;
  void initialise(int64_t rows, const at::TensorOptions& kind, const Rng& rng) const override;
  StepLoss add_gradient(const ObjectiveStep& step) const override;
  RowLosses validate(const ValidationStep& step) const override;
  std::string origin(const FlatParameters& parameters, const StepLoss& step) const override;

 private:
  void prepare_by_samples(int64_t count, const Rng& rng, Collective* collective) const;

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
CF_EXPORT TrainReport fit_reverse_kl(Flow& flow, const Energy& energy, TrainingOptions options,
                                     const TrainerHooks& hooks = {});

/// A flow q against exp(-U)/Z, by samples of the flow.
struct ReverseKlReport {
  Estimate loss;  ///< Of log q(x) + U(x), nats: KL(q, p) - log Z.
  /// log of the mean of exp(-U(x)) / q(x): Z by importance sampling. Below the true log Z by more
  /// than its error, the flow misses a mode.
  double log_z = 0.0;
  double log_z_error = 0.0;     ///< Of the spread of those ratios, to first order.
  double effective_rows = 0.0;  ///< Of the samples under those ratios; all of them when q = p.
};

/// `count` samples, Phase::kEvaluate, without a graph, some thousand at a time. log_z and
/// effective_rows need a log q without noise (an exact log-determinant). Throws as Flow::sample().
CF_EXPORT ReverseKlReport measure_reverse_kl(const Flow& flow, const Energy& energy, int64_t count,
                                             const Rng& rng);

}  // namespace contraflow
