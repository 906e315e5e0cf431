#pragma once

#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/metrics.h"

namespace contraflow {

/// Weighted mean sum(w v)/sum(w) in float64, with the standard error of the rows' spread:
/// sqrt(n/(n-1) sum w^2 (v - mean)^2) / sum w. `weight_b` may be undefined: all one.
/// The spread holds the noise of probes and dequantization too, one draw per row. Integer weights
/// give the mean of so many equal rows, but not their error: copies of a row add no knowledge.
/// Throws ShapeError (another shape), DomainError (a sum of weights that is not positive, finite).
MeanWithError weighted_mean(const at::Tensor& value_b, const at::Tensor& weight_b);

/// The batch in the dtype and on the device of `options`; undefined parts stay undefined.
data::Batch batch_to(const data::Batch& batch, const at::TensorOptions& options);

struct LossArguments {
  int64_t rows = 0;          ///< The first rows of the source; all of a finite one when fewer.
  int64_t batch_size = 500;  ///< Rows at a time; does not change the result beyond rounding.
  Rng rng{0};                ///< Row r draws as sample r.
};

/// Mean of -log p(x), weighted where the source has weights, nats per event, in Phase::kEvaluate
/// and without autograd. The flow must be ready to evaluate (EvaluationScope, load_weights()).
MeanWithError evaluate_loss(const Flow& flow, const data::Source& source,
                            const LossArguments& arguments);

}  // namespace contraflow
