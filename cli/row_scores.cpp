#include "cli/row_scores.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/data/weights.h"
#include "contraflow/training/evaluation.h"

namespace contraflow::cli {
namespace {

at::TensorOptions kind_of_weights(const Flow& flow) {
  const at::Tensor own = first_floating_tensor(flow);
  return own.defined() ? own.options().requires_grad(false) : at::TensorOptions(at::kDouble);
}

// Where `bad` [B, D] is true first.
void require_none(const at::Tensor& x, const at::Tensor& bad, const DataColumns& columns,
                  const std::string& source, int64_t first_row, const std::string& expected) {
  if (!bad.any().item<bool>()) return;
  const at::Tensor place = bad.nonzero()[0];
  const int64_t row = place[0].item<int64_t>(), column = place[1].item<int64_t>();
  const auto index = static_cast<size_t>(column);
  const std::string name =
      index < columns.columns.size() ? "'" + columns.columns[index] + "'" : std::to_string(column);
  fail<DomainError>("data",
                    source + ", row " + std::to_string(first_row + row) + ", column " + name,
                    expected, c10::str(x[row][column].item<double>()),
                    "Correct or remove the row; the model has no density there.");
}

// -log p(z) of the first rows, and the entropy of the base by its own samples.
void measure_latents(const Flow& flow, const data::Source& source, int64_t rows, const Rng& rng,
                     LikelihoodReport& report) {
  constexpr int64_t kMostRows = 2000;
  constexpr int64_t kBaseSamples = 20000;
  const data::Batch batch =
      batch_to(source.rows(0, std::min(rows, kMostRows)), kind_of_weights(flow));
  const Context context{.condition = batch.condition, .rng = rng.fork("latent")};
  const at::Tensor z = flow.transform()->forward(batch.x, context).value;
  report.latent = weighted_mean(-flow.base()->log_prob(z), batch.weight);
  const at::Tensor own = flow.base()->sample(kBaseSamples, rng.fork("base entropy"));
  report.base_entropy = weighted_mean(-flow.base()->log_prob(own), {});
}

}  // namespace

LogProbWithError score_batch(const Flow& flow, const data::Batch& batch,
                             const ScoreOptions& options) {
  const data::Batch own = batch_to(batch, kind_of_weights(flow));
  const Context context{.condition = own.condition, .rng = options.rng.rows_from(own.first_row)};
  if (options.is_random) return flow.log_prob_with_error(own.x, context, options.replicates);
  const at::NoGradGuard no_grad;
  const at::Tensor value = flow.log_prob(own.x, context).to(at::kDouble);
  return {value, at::zeros_like(value), at::zeros_like(value), 1};
}

int64_t rows_per_chunk(int64_t dim) {
  constexpr int64_t kMostRows = 16384;
  constexpr int64_t kLeastRows = 256;
  // Jacobians are kept whole: d^2 numbers a row.
  constexpr int64_t kNumbers = int64_t{1} << 20;
  return std::clamp(kNumbers / std::max<int64_t>(1, dim * dim), kLeastRows, kMostRows);
}

void check_domain(const at::Tensor& x, const DataColumns& columns, const std::string& source,
                  int64_t first_row) {
  if (columns.levels > 0) {
    const at::Tensor bad = x.ne(x.round()).logical_or(x.lt(0)).logical_or(x.ge(columns.levels));
    require_none(x, bad, columns, source, first_row,
                 "an integer from 0 to " + std::to_string(columns.levels - 1));
  }
  if (columns.bounds.size() == 2) {
    const at::Tensor bad = x.lt(columns.bounds[0]).logical_or(x.gt(columns.bounds[1]));
    require_none(x, bad, columns, source, first_row,
                 c10::str("a value in [", columns.bounds[0], ", ", columns.bounds[1], "]"));
  }
}

LikelihoodReport measure_likelihood(const Flow& flow, const data::Source& source, int64_t rows,
                                    const ScoreOptions& options, RowProgress& progress) {
  const at::NoGradGuard no_grad;
  LikelihoodReport report;
  measure_latents(flow, source, rows, options.rng, report);
  std::vector<at::Tensor> losses, errors, biases, weights;
  const int64_t chunk = rows_per_chunk(flow.event_shape().front());
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t end = std::min(rows, begin + chunk);
    const data::Batch batch = source.rows(begin, end);
    const LogProbWithError scores = score_batch(flow, batch, options);
    losses.push_back(-scores.log_prob);
    errors.push_back(scores.standard_error);
    biases.push_back(scores.bias_bound);
    if (batch.weight.defined()) weights.push_back(batch.weight.to(at::kDouble));
    report.replicates = scores.replicates;
    progress.done(end);
  }
  const at::Tensor weight = weights.empty() ? at::ones({rows}, at::kDouble) : at::cat(weights);
  const double sum = weight.sum().item<double>();
  report.nll = weighted_mean(at::cat(losses), weight);
  report.effective_rows = data::effective_rows(weight);
  report.noise_error = (weight * at::cat(errors)).norm().item<double>() / sum;
  report.bias_bound = (weight * at::cat(biases)).sum().item<double>() / sum;
  return report;
}

}  // namespace contraflow::cli
