#pragma once

#include "contraflow/core/export.h"
#include "contraflow/training/trainer.h"

namespace contraflow {

/// How a flow is fitted to rows in memory.
struct FitOptions {
  TrainingOptions training = {};
  /// Part of the rows, in [0, 1), that training does not see: the weights that do best on them are
  /// kept. 0 = all rows are trained on, and there is no validation.
  double validation_fraction = 0.1;
  at::Tensor condition = {};  ///< [N, condition], or undefined for an unconditional flow.
  at::Tensor weight = {};     ///< [N], >= 0; undefined = every row counts alike.
  TrainerHooks hooks = {};    ///< Progress, interruption, where a checkpoint goes.
};

/// Fits a flow to the rows x [N, event...] by maximum likelihood.
///
/// Types      x of any type; batches have options.training.dtype, which the flow is converted to.
/// Result     the flow holds the best validated weights; see fit() of trainer.h. A checkpoint
///            (hooks.checkpoint_path) is read by load().
/// Random     Rng(options.training.seed): split, order of the batches, training.
/// Threads    exclusive access to the flow.
/// Throws     ConfigError, ShapeError, DomainError, NumericsError, IoError, as fit() of trainer.h.
/// Example    fit(*flow, x, {.training = {.steps = 2000}});
CF_EXPORT TrainReport fit(Flow& flow, const at::Tensor& x, const FitOptions& options = {});

}  // namespace contraflow
