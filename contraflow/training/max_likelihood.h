#pragma once

#include "contraflow/core/export.h"
#include "contraflow/data/source.h"
#include "contraflow/training/flow_objective.h"

namespace contraflow {

/// The mean of -log p(x) over the rows of the training split, by their weights where it has them.
///
/// Gradient   of a batch: of sum_b w_b (-log p(x_b)) / (B w) with w the mean weight of all rows.
///            Over an epoch it averages to that of the weighted mean. (Dividing by the batch's own
///            sum of weights instead moves the optimum: rows of large weight count for less.)
/// Weights    of every batch have a positive sum; the losses reported are weighted means, and
///            members that look at rows (ActNorm, batch norm) see rows_by_weight().
/// Ranks      each computes its rows of the batch; members that look at rows see those of rank 0.
/// Throws     ConfigError (a split that is missing), ShapeError (sources that do not fit the flow),
///            DomainError (weights that are negative, not finite, or all zero in a batch).
/// Source     none.
/// Example    fit(MaxLikelihood(flow, splits), {.steps = 5000});
class CF_EXPORT MaxLikelihood final : public FlowObjective {
 public:
  static constexpr const char* kName = "max_likelihood";
  /// Rows by which the mean weight of an endless source is estimated.
  static constexpr int64_t kWeightRows = 5000;

  MaxLikelihood(FlowPtr flow, data::Splits splits, int64_t weight_rows = kWeightRows);

  std::string name() const override { return kName; }
  void check(const TrainingOptions& options) const override;
  void initialise(int64_t rows, const at::TensorOptions& kind, const Rng& rng) const override;
  StepLoss add_gradient(const ObjectiveStep& step) const override;
  RowLosses validate(const ValidationStep& step) const override;

 private:
  at::Tensor seed(const data::Batch& part, int64_t rows, const at::TensorOptions& kind) const;

  data::Splits splits_;
  double mean_weight_ = 1.0;
};

}  // namespace contraflow
