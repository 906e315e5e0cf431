#include "contraflow/runs/fit.h"

#include "contraflow/core/dtype.h"
#include "contraflow/data/splits.h"

namespace contraflow {

TrainReport fit(Flow& flow, const at::Tensor& x, const FitOptions& options) {
  TrainingOptions training = options.training;
  if (options.validation_fraction == 0.0) training.validate_every = 0;
  const data::Splits splits = data::split_tensors(
      {.x = x, .condition = options.condition, .weight = options.weight},
      {.validation_fraction = options.validation_fraction, .test_fraction = 0.0},
      Rng(static_cast<uint64_t>(training.seed)).fork("data"), scalar_type(training.dtype));
  return fit(flow, splits, training, options.hooks);
}

}  // namespace contraflow
