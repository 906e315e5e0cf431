#include "contraflow/training/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

at::TensorOptions kind_of(const Flow& flow, const at::Tensor& fallback) {
  const at::Tensor own = first_floating_tensor(flow);
  return (own.defined() ? own : fallback).options().requires_grad(false);
}

}  // namespace

data::Batch batch_to(const data::Batch& batch, const at::TensorOptions& options) {
  const auto convert = [&options](const at::Tensor& t) { return t.defined() ? t.to(options) : t; };
  return {convert(batch.x), convert(batch.condition), convert(batch.weight), batch.first_row};
}

data::Batch batch_for(const Flow& flow, const data::Batch& batch, const at::TensorOptions& kind) {
  if (!flow.transform()->data_side()) return batch_to(batch, kind);
  data::Batch out = batch_to(batch, kind.dtype(at::kDouble));
  if (out.weight.defined()) out.weight = batch.weight.to(kind);
  return out;
}

RowLosses loss_rows(const Flow& flow, const data::Source& source, const RowShare& share,
                    int64_t batch_size, const Rng& rng) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> losses, weights;
  for (int64_t begin = share.begin; begin < share.end; begin += batch_size) {
    const data::Batch raw = source.rows(begin, std::min(share.end, begin + batch_size));
    const data::Batch batch = batch_for(flow, raw, kind_of(flow, raw.x));
    const Context context{.condition = batch.condition,
                          .rng = rng.rows_from(batch.first_row),
                          .phase = Phase::kEvaluate};
    losses.push_back(-flow.log_prob(batch.x, context));
    if (batch.weight.defined()) weights.push_back(batch.weight);
  }
  return {at::cat(losses), weights.empty() ? at::Tensor() : at::cat(weights), share};
}

Estimate evaluate_loss(const Flow& flow, const data::Source& source,
                       const LossArguments& arguments) {
  const int64_t rows = std::min(arguments.rows, source.size().value_or(arguments.rows));
  if (rows < 1) {
    fail<ShapeError>("evaluate_loss", source.name(), "at least one row", std::to_string(rows),
                     "Give the split more rows.");
  }
  const RowShare all{0, rows, rows};
  return mean_loss(loss_rows(flow, source, all, arguments.batch_size, arguments.rng), nullptr);
}

}  // namespace contraflow
