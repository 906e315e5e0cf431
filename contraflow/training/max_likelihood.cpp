#include "contraflow/training/max_likelihood.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/weights.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {
namespace {

// Sources tell their event's shape, but their condition's only by a row.
std::vector<int64_t> condition_shape_of(const data::Source& source) {
  const at::Tensor condition = source.rows(0, 1).condition;
  return condition.defined() ? condition.sizes().slice(1).vec() : std::vector<int64_t>{};
}

std::string condition_text(const std::vector<int64_t>& shape) {
  if (shape.empty()) return "rows without a condition";
  if (shape.size() == 1) return c10::str("a condition of width ", shape[0], " in every row");
  return c10::str("a condition of shape ", at::IntArrayRef(shape), " in every row");
}

void check_source(const Flow& flow, const data::SourcePtr& source, const char* name) {
  const std::vector<int64_t> event = flow.event_shape();
  if (source == nullptr) {
    fail<ConfigError>("fit", name, "a source of rows", "none", "Give the splits one.");
  }
  if (source->event_shape() != flow.event_shape()) {
    fail<ShapeError>("fit", name, c10::str("events of shape ", at::IntArrayRef(event)),
                     c10::str(at::IntArrayRef(source->event_shape())),
                     "Build the flow for this data.");
  }
  const std::vector<int64_t> wanted = flow.condition_shape(), got = condition_shape_of(*source);
  if (got == wanted) return;
  fail<ShapeError>("fit", name, condition_text(wanted), condition_text(got),
                   "Build the flow for this data: its 'condition' is the shape of the rows'.");
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

// Rows outside of a bounded base have no density, and no step of the training could give them one.
void check_support(const Flow& flow, const at::Tensor& x, const Context& context) {
  if (flow.base()->has_full_support()) return;
  const at::NoGradGuard no_grad;
  const auto outside = flow.log_prob(x, context).isneginf().sum().item<int64_t>();
  if (outside == 0) return;
  fail<DomainError>("fit", "base", "a density at every training row",
                    "none at " + format_count(outside) + " of " + format_count(x.size(0)) +
                        " rows, which fall outside of the base's bounds",
                    "Use a base on the whole line, such as normal or logistic, or wider bounds.");
}

int64_t first_rows(const data::Source& source, int64_t most) {
  return std::min(most, source.size().value_or(most));
}

}  // namespace

MaxLikelihood::MaxLikelihood(FlowPtr flow, data::Splits splits, int64_t weight_rows)
    : FlowObjective(std::move(flow)), splits_(std::move(splits)) {
  if (splits_.train == nullptr) return;  // check() says so
  const data::Source& train = *splits_.train;
  if (!train.rows(0, first_rows(train, 1)).weight.defined()) return;
  const at::Tensor weight = train.rows(0, train.size().value_or(weight_rows)).weight;
  data::check_weights("fit", "weight", weight);
  mean_weight_ = weight.mean(at::kDouble).item<double>();
}

void MaxLikelihood::check(const TrainingOptions& options) const {
  check_source(*flow(), splits_.train, "training split");
  if (options.validate_every > 0) check_source(*flow(), splits_.validation, "validation split");
}

void MaxLikelihood::initialise(int64_t rows, const at::TensorOptions& kind, const Rng& rng) const {
  const data::Batch batch = data::rows_by_weight(
      batch_for(*flow(), splits_.train->rows(0, first_rows(*splits_.train, rows)), kind));
  check_finite("fit", "training rows", batch.x);
  if (batch.condition.defined()) check_finite("fit", "training conditions", batch.condition);
  const Context context{.condition = batch.condition, .rng = rng, .phase = Phase::kTrain};
  flow()->prepare(batch.x, context);
  check_support(*flow(), batch.x, context);
}

StepLoss MaxLikelihood::add_gradient(const ObjectiveStep& step) const {
  const data::Source& train = *splits_.train;
  const RowShare share = share_of(train.batch_rows(step.batch_size), step.collective);
  const data::Batch part = batch_for(
      *flow(), train.batch(step.index, step.batch_size, share.begin, share.end), step.kind);
  if (share.is_all()) check_batch_weights(part.weight);  // of a share all may be zero
  Context context{
      .condition = part.condition, .rng = step.rng.fork("prepare"), .phase = Phase::kTrain};
  // What does not look at x gets none: checking it would cost another pass over the batch.
  if (flow()->transform()->prepare_needs_data()) {
    const data::Batch counted = data::rows_by_weight(part);
    prepare(counted.x, {.condition = counted.condition, .rng = context.rng, .phase = context.phase},
            step.collective);
  } else {
    prepare(at::Tensor(), context, step.collective);
  }
  context.rng = step.rng.fork("loss").rows_from(part.first_row);
  const at::Tensor log_prob_b =
      flow()->add_log_prob_gradient(part.x, seed(part, share.rows, step.kind), context);
  return {{log_prob_b.neg(), part.weight, share}, part.x, context};
}

// Derivative of the loss with respect to each log p: backward starts here instead of at a graph of
// the mean, whose nodes cost more than the optimizer.
at::Tensor MaxLikelihood::seed(const data::Batch& part, int64_t rows,
                               const at::TensorOptions& kind) const {
  const auto count = static_cast<double>(rows);
  if (part.weight.defined()) return part.weight * (-1.0 / (count * mean_weight_));
  return at::full({part.x.size(0)}, -1.0 / count, kind);
}

RowLosses MaxLikelihood::validate(const ValidationStep& step) const {
  const data::Source& source = *splits_.validation;
  const RowShare share = share_of(first_rows(source, step.rows), step.collective);
  return loss_rows(*flow(), source, share, step.batch_size, step.rng);
}

}  // namespace contraflow
