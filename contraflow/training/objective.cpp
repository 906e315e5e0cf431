#include "contraflow/training/objective.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"
#include "contraflow/data/weights.h"
#include "contraflow/training/evaluation.h"
#include "contraflow/training/non_finite.h"

namespace contraflow {
namespace {

// Sources tell their event's shape, but their condition's width only by a row.
int64_t condition_size(const data::Source& source) {
  const at::Tensor condition = source.rows(0, 1).condition;
  return condition.defined() ? condition.size(1) : 0;
}

std::string condition_text(int64_t width) {
  return width == 0 ? "rows without a condition"
                    : c10::str("a condition of width ", width, " in every row");
}

void check_source(const Flow& flow, const data::SourcePtr& source, const char* name) {
  const at::IntArrayRef event = flow.event_shape();
  if (source == nullptr) {
    fail<ConfigError>("fit", name, "a source of rows", "none", "Give the splits one.");
  }
  if (source->event_shape() != flow.event_shape()) {
    fail<ShapeError>("fit", name, c10::str("events of shape ", event),
                     c10::str(at::IntArrayRef(source->event_shape())),
                     "Build the flow for this data.");
  }
  const int64_t wanted = EventShape(flow.condition_shape()).size(), got = condition_size(*source);
  if (got == wanted) return;
  fail<ShapeError>("fit", name, condition_text(wanted), condition_text(got),
                   "Build the flow for this data: its 'condition' is the width of the rows'.");
}

// Of every batch: one of zeros alone has no weighted mean, and a source may make its weights as it
// goes.
void check_batch_weights(const at::Tensor& weight) {
  if (!weight.defined()) return;
  const double least = weight.min().item<double>(), sum = weight.sum().item<double>();
  if (least >= 0.0 && sum > 0.0 && std::isfinite(sum)) return;
  fail<DomainError>(
      "fit", "weight", "finite weights >= 0 with a positive sum in every batch",
      sum == 0.0 ? "only zeros" : c10::str("a least one of ", least, ", a sum of ", sum),
      sum == 0.0 ? "Raise batch_size, or remove the rows of weight 0." : "Repair the weights.");
}

int64_t first_rows(const data::Source& source, int64_t most) {
  return std::min(most, source.size().value_or(most));
}

}  // namespace

std::string Objective::origin(const Flow& flow, const FlatParameters& parameters,
                              const StepLoss& step) const {
  return describe(find_in_forward(flow, parameters, step.x, step.context));
}

MaxLikelihood::MaxLikelihood(data::Splits splits, int64_t weight_rows)
    : splits_(std::move(splits)) {
  if (splits_.train == nullptr) return;  // check() says so
  const data::Source& train = *splits_.train;
  if (!train.rows(0, first_rows(train, 1)).weight.defined()) return;
  const at::Tensor weight = train.rows(0, train.size().value_or(weight_rows)).weight;
  data::check_weights("fit", "weight", weight);
  mean_weight_ = weight.mean(at::kDouble).item<double>();
}

void MaxLikelihood::check(const Flow& flow, const TrainingOptions& options) const {
  if (options.objective != ObjectiveKind::kMaxLikelihood) {
    fail<ConfigError>("fit", "training.objective", "\"max_likelihood\" for rows of data",
                      "\"" + std::string(enum_name(options.objective)) + "\"",
                      "Use fit_reverse_kl() with an energy.");
  }
  check_source(flow, splits_.train, "training split");
  if (options.validate_every > 0) check_source(flow, splits_.validation, "validation split");
}

void MaxLikelihood::initialise(Flow& flow, int64_t rows, const at::TensorOptions& kind,
                               const Rng& rng) const {
  const data::Batch batch = data::rows_by_weight(
      batch_to(splits_.train->rows(0, first_rows(*splits_.train, rows)), kind));
  check_finite("fit", "training rows", batch.x);
  if (batch.condition.defined()) check_finite("fit", "training conditions", batch.condition);
  flow.prepare(batch.x, {.condition = batch.condition, .rng = rng, .phase = Phase::kTrain});
}

StepLoss MaxLikelihood::add_gradient(Flow& flow, const ObjectiveStep& step) const {
  const data::Batch batch = batch_to(splits_.train->batch(step.index, step.batch_size), step.kind);
  check_batch_weights(batch.weight);
  Context context{
      .condition = batch.condition, .rng = step.rng.fork("prepare"), .phase = Phase::kTrain};
  // What does not look at x gets none: checking it would cost another pass over the batch.
  if (flow.transform()->prepare_needs_data()) {
    const data::Batch counted = data::rows_by_weight(batch);
    flow.prepare(counted.x,
                 {.condition = counted.condition, .rng = context.rng, .phase = context.phase});
  } else {
    flow.prepare(at::Tensor(), context);
  }
  context.rng = step.rng.fork("loss").rows_from(batch.first_row);
  const at::Tensor log_prob_b = flow.add_log_prob_gradient(batch.x, seed(batch), context);
  MeanWithError loss = weighted_mean(log_prob_b, batch.weight);
  loss.mean = -loss.mean;
  return {loss, batch.x, context};
}

// Derivative of the loss with respect to each log p: backward starts here instead of at a graph of
// the mean, whose nodes cost more than the optimizer.
at::Tensor MaxLikelihood::seed(const data::Batch& batch) const {
  const auto rows = static_cast<double>(batch.x.size(0));
  if (batch.weight.defined()) return batch.weight * (-1.0 / (rows * mean_weight_));
  return at::full({batch.x.size(0)}, -1.0 / rows, batch.x.options());
}

MeanWithError MaxLikelihood::validate(const Flow& flow, int64_t rows, int64_t batch_size,
                                      const Rng& rng) const {
  return evaluate_loss(flow, *splits_.validation,
                       {.rows = rows, .batch_size = batch_size, .rng = rng});
}

}  // namespace contraflow
