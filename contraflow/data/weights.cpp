#include "contraflow/data/weights.h"

#include <ATen/ATen.h>

#include <string>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"

namespace contraflow::data {

void check_weights(std::string_view where, std::string_view name, const at::Tensor& weight) {
  const at::Tensor good = at::isfinite(weight).logical_and(weight.ge(0));
  if (const auto bad = first_bad(weight, good.logical_not())) {
    fail<DomainError>(where, std::string(name) + ", row " + std::to_string(bad->row),
                      "a finite weight >= 0", c10::str(bad->value), "Correct or remove the row.");
  }
  if (weight.sum(at::kDouble).item<double>() > 0.0) return;
  fail<DomainError>(where, name, "at least one weight above 0",
                    std::to_string(weight.numel()) + " zeros",
                    "Correct the weights, or leave them out.");
}

double effective_rows(const at::Tensor& weight) {
  const at::Tensor w = weight.to(at::kDouble);
  const double sum = w.sum().item<double>();
  return sum * sum / w.square().sum().item<double>();
}

Batch rows_by_weight(const Batch& batch) {
  if (!batch.weight.defined()) return batch;
  const int64_t rows = batch.x.size(0);
  // Systematic resampling: N equally spaced places on the weights laid end to end. The places are
  // halfway between their neighbours, so that rounding moves none of them over an edge.
  const at::Tensor edges = batch.weight.to(at::kDouble).cumsum(0);
  const at::Tensor places = (at::arange(rows, edges.options()) + 0.5) *
                            (edges[rows - 1].item<double>() / static_cast<double>(rows));
  const at::Tensor chosen = at::searchsorted(edges, places, /*out_int32=*/false, /*right=*/true);
  Batch out;
  out.x = batch.x.index_select(0, chosen);
  if (batch.condition.defined()) out.condition = batch.condition.index_select(0, chosen);
  out.first_row = batch.first_row;
  return out;
}

}  // namespace contraflow::data
