#include "contraflow/training/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

at::Tensor on_cpu(const at::Tensor& t) { return t.detach().to(at::kCPU).contiguous(); }

// `weight(i)` of value i.
template <class T, class Weight>
MeanWithError mean_with_error(const T* v, int64_t n, Weight weight) {
  double sum = 0.0, weight_sum = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    sum += weight(i) * static_cast<double>(v[i]);
    weight_sum += weight(i);
  }
  if (n > 0 && !(weight_sum > 0.0 && std::isfinite(weight_sum))) {
    fail<DomainError>("weighted_mean", "weight", "weights with a positive, finite sum",
                      c10::str("a sum of ", weight_sum), "Take rows of weight above 0.");
  }
  const double mean = sum / weight_sum;
  double squares = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    const double part = weight(i) * (static_cast<double>(v[i]) - mean);
    squares += part * part;
  }
  const auto count = static_cast<double>(n);
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const double error = n < 2 ? unknown : std::sqrt(count / (count - 1.0) * squares) / weight_sum;
  return {mean, error, n};
}

at::TensorOptions kind_of(const Flow& flow, const at::Tensor& fallback) {
  const at::Tensor own = first_floating_tensor(flow);
  return (own.defined() ? own : fallback).options().requires_grad(false);
}

}  // namespace

// A plain loop: for a batch of some hundred rows it takes a microsecond, tensor operations some
// thirty.
MeanWithError weighted_mean(const at::Tensor& value_b, const at::Tensor& weight_b) {
  if (weight_b.defined() && weight_b.sizes() != value_b.sizes()) {
    fail<ShapeError>("weighted_mean", "weight", c10::str(value_b.sizes()),
                     c10::str(weight_b.sizes()), "Give one weight per value.");
  }
  const at::Tensor values = on_cpu(value_b);
  const at::Tensor weights =
      weight_b.defined() ? on_cpu(weight_b).to(at::kDouble) : at::ones({}, at::kDouble);
  const double* w = weights.const_data_ptr<double>();
  const int64_t step = weight_b.defined() ? 1 : 0;
  const auto run = [&](const auto* v) {
    return mean_with_error(v, values.numel(), [w, step](int64_t i) { return w[i * step]; });
  };
  return values.scalar_type() == at::kFloat ? run(values.const_data_ptr<float>())
                                            : run(values.const_data_ptr<double>());
}

data::Batch batch_to(const data::Batch& batch, const at::TensorOptions& options) {
  const auto convert = [&options](const at::Tensor& t) { return t.defined() ? t.to(options) : t; };
  return {convert(batch.x), convert(batch.condition), convert(batch.weight), batch.first_row};
}

MeanWithError evaluate_loss(const Flow& flow, const data::Source& source,
                            const LossArguments& arguments) {
  const int64_t rows = std::min(arguments.rows, source.size().value_or(arguments.rows));
  if (rows < 1) {
    fail<ShapeError>("evaluate_loss", source.name(), "at least one row", std::to_string(rows),
                     "Give the split more rows.");
  }
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> losses, weights;
  for (int64_t begin = 0; begin < rows; begin += arguments.batch_size) {
    const data::Batch raw = source.rows(begin, std::min(rows, begin + arguments.batch_size));
    const data::Batch batch = batch_to(raw, kind_of(flow, raw.x));
    const Context context{.condition = batch.condition,
                          .rng = arguments.rng.rows_from(batch.first_row),
                          .phase = Phase::kEvaluate};
    losses.push_back(-flow.log_prob(batch.x, context));
    if (batch.weight.defined()) weights.push_back(batch.weight);
  }
  return weighted_mean(at::cat(losses), weights.empty() ? at::Tensor() : at::cat(weights));
}

}  // namespace contraflow
