#pragma once

#include "contraflow/core/estimate.h"
#include "contraflow/core/export.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/collective.h"

namespace contraflow {

/// The batch in the dtype and on the device of `options`; undefined parts stay undefined.
CF_EXPORT data::Batch batch_to(const data::Batch& batch, const at::TensorOptions& options);

/// The same for a flow whose weights are of `kind`: on the data side (Transform::data_side) x and
/// the condition become float64, and no digit of an offset is lost.
CF_EXPORT data::Batch batch_for(const Flow& flow, const data::Batch& batch,
                                const at::TensorOptions& kind);

/// -log p(x) of rows of a source with their weights, nats per event, in Phase::kEvaluate, without
/// autograd, `batch_size` rows at a time (which changes nothing beyond rounding). Row r draws as
/// sample r of `rng`. The flow must be ready to evaluate (EvaluationScope, load_weights()).
CF_EXPORT RowLosses loss_rows(const Flow& flow, const data::Source& source, const RowShare& share,
                              int64_t batch_size, const Rng& rng);

struct LossArguments {
  int64_t rows = 0;          ///< The first rows of the source; all of a finite one when fewer.
  int64_t batch_size = 500;  ///< Rows at a time.
  Rng rng{0};                ///< Row r draws as sample r.
};

/// Mean of loss_rows() over the first rows of the source. Throws ShapeError: no rows.
CF_EXPORT Estimate evaluate_loss(const Flow& flow, const data::Source& source,
                                 const LossArguments& arguments);

}  // namespace contraflow
