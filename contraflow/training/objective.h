#pragma once

#include <string>

#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/flat_parameters.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/training_options.h"

namespace contraflow {

/// One training step as an objective sees it.
struct ObjectiveStep {
  int64_t index = 0;  ///< From 0.
  int64_t batch_size = 0;
  at::TensorOptions kind;  ///< Dtype and device of the flow.
  Rng rng{0};              ///< Of this step alone.
};

/// The loss of a step and where it was taken.
struct StepLoss {
  MeanWithError loss;  ///< Nats per event.
  at::Tensor x;        ///< [B, event], detached.
  Context context;
};

/// What a run minimises, in nats per event; the trainer does the rest. Immutable: what a step draws
/// is a function of its index and rng, so that a resumed run goes on bit for bit.
class Objective {
 public:
  virtual ~Objective() = default;
  /// Before anything is changed. Throws ConfigError, ShapeError.
  virtual void check(const Flow& flow, const TrainingOptions& options) const = 0;
  /// flow.prepare() with up to `rows` rows, before step 0.
  virtual void initialise(Flow& flow, int64_t rows, const at::TensorOptions& kind,
                          const Rng& rng) const = 0;
  /// Prepares the flow for the step and adds the gradient of the loss to its parameters'.
  virtual StepLoss add_gradient(Flow& flow, const ObjectiveStep& step) const = 0;
  /// The loss over at most `rows` rows that training does not see, `batch_size` at a time, in
  /// Phase::kEvaluate.
  virtual MeanWithError validate(const Flow& flow, int64_t rows, int64_t batch_size,
                                 const Rng& rng) const = 0;
  /// Where a loss that is not finite comes from, for the error.
  virtual std::string origin(const Flow& flow, const FlatParameters& parameters,
                             const StepLoss& step) const;
};

/// The mean of -log p(x) over the rows of the training split, by their weights where it has them.
///
/// Gradient   of a batch: of sum_b w_b (-log p(x_b)) / (B w) with w the mean weight of all rows.
///            Over an epoch it averages to that of the weighted mean. (Dividing by the batch's own
///            sum of weights instead moves the optimum: rows of large weight count for less.)
/// Weights    of every batch have a positive sum; the losses reported are weighted means, and
///            members that look at rows (ActNorm, batch norm) see rows_by_weight().
class MaxLikelihood final : public Objective {
 public:
  /// `splits` are kept. The mean weight of an endless source is that of its first `weight_rows`.
  MaxLikelihood(data::Splits splits, int64_t weight_rows);

  void check(const Flow& flow, const TrainingOptions& options) const override;
  void initialise(Flow& flow, int64_t rows, const at::TensorOptions& kind,
                  const Rng& rng) const override;
  StepLoss add_gradient(Flow& flow, const ObjectiveStep& step) const override;
  MeanWithError validate(const Flow& flow, int64_t rows, int64_t batch_size,
                         const Rng& rng) const override;

 private:
  at::Tensor seed(const data::Batch& batch) const;

  data::Splits splits_;
  double mean_weight_ = 1.0;
};

}  // namespace contraflow
