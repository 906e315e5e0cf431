#include "contraflow/evaluation/scores.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/event_shape.h"
#include "contraflow/core/text.h"
#include "contraflow/evaluation/exact_cost.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {

at::TensorOptions kind_of(const Flow& flow) {
  const at::Tensor own = first_floating_tensor(flow);
  return own.defined() ? own.options().requires_grad(false) : at::TensorOptions(at::kDouble);
}

at::TensorOptions input_kind_of(const Flow& flow) {
  const at::TensorOptions own = kind_of(flow);
  return flow.transform()->data_side() ? own.dtype(at::kDouble) : own;
}

int64_t event_size(const Flow& flow) { return EventShape(flow.event_shape()).size(); }

LogProbWithError score_batch(const Flow& flow, const data::Batch& batch,
                             const ScoreOptions& options) {
  const auto result = at::TensorOptions(at::kDouble).device(at::kCPU);
  const data::Batch own = batch_to(batch, input_kind_of(flow));
  const Context context{.condition = own.condition, .rng = options.rng.rows_from(own.first_row)};
  const at::NoGradGuard no_grad;
  if (flow.randomness(Phase::kEvaluate) == Randomness::kNone) {
    const at::Tensor value = flow.log_prob(own.x, context).to(result);
    return {value, at::zeros_like(value), at::zeros_like(value), 1, {}, {}};
  }
  const LogProbWithError out = flow.log_prob_with_error(own.x, context, options.replicates);
  return {out.log_prob.to(result), out.standard_error.to(result), out.bias_bound.to(result),
          out.replicates,          out.log_mean.to(result),       out.log_mean_error.to(result)};
}

int64_t rows_per_chunk(const Flow& flow, int64_t batch) {
  if (batch > 0) return batch;
  const int64_t usual = rows_per_chunk(event_size(flow));
  if (!evaluates_exactly(flow)) return usual;
  constexpr int64_t kMostBytes = int64_t{1} << 30;
  const int64_t bytes = std::min(kMostBytes, available_memory().value_or(kMostBytes) / 4);
  return std::clamp<int64_t>(bytes / exact_cost(flow).bytes_per_row, 1, usual);
}

MemoryUse memory_use(const std::string& where, const Flow& flow, int64_t rows,
                     const std::string& remedy) {
  const std::vector<int64_t> event = flow.event_shape();
  std::string use = format_count(rows) + (event.size() > 1 ? " images " : " rows ");
  use += c10::str(at::IntArrayRef(event));
  if (evaluates_exactly(flow)) use += " with exact log-determinants";
  return {where, use, remedy};
}

int64_t rows_per_chunk(int64_t dim) {
  constexpr int64_t kMostRows = 16384;
  constexpr int64_t kUsualRows = 256;
  constexpr int64_t kUsualNumbers = int64_t{1} << 20;
  constexpr int64_t kMostNumbers = int64_t{1} << 28;
  const int64_t numbers = std::max<int64_t>(1, dim * dim);
  const int64_t usual = std::clamp(kUsualNumbers / numbers, kUsualRows, kMostRows);
  return std::clamp<int64_t>(kMostNumbers / numbers, 1, usual);
}

}  // namespace contraflow
