#include "contraflow/evaluation/likelihood.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "contraflow/data/weights.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {
namespace {

// -log p(z) of the first rows, and the entropy of the base by its own samples.
void measure_latents(const Flow& flow, const data::Source& source, int64_t rows, const Rng& rng,
                     LikelihoodReport& report) {
  constexpr int64_t kMostRows = 2000;
  constexpr int64_t kBaseSamples = 20000;
  const data::Batch batch =
      batch_to(source.rows(0, std::min(rows, kMostRows)), input_kind_of(flow));
  const Context context{
      .condition = batch.condition, .rng = rng.fork("latent"), .hints = {.wants_log_det = false}};
  const at::Tensor z = flow.transform()->forward(batch.x, context).value;
  report.latent = weighted_mean(-flow.base()->log_prob(z), batch.weight);
  const at::Tensor own = flow.base()->sample(kBaseSamples, rng.fork("base entropy"));
  report.base_entropy = weighted_mean(-flow.base()->log_prob(own), {});
}

}  // namespace

LikelihoodReport measure_likelihood(const Flow& flow, const data::Source& source, int64_t rows,
                                    const ScoreOptions& options, const RowsDone& done) {
  const at::NoGradGuard no_grad;
  LikelihoodReport report;
  measure_latents(flow, source, rows, options.rng, report);
  std::vector<at::Tensor> losses, errors, biases, weights, log_means, squares;
  const int64_t chunk = rows_per_chunk(event_size(flow));
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t end = std::min(rows, begin + chunk);
    const data::Batch batch = source.rows(begin, end);
    const LogProbWithError scores = score_batch(flow, batch, options);
    losses.push_back(-scores.log_prob);
    errors.push_back(scores.standard_error);
    biases.push_back(scores.bias_bound);
    if (scores.log_mean.defined()) {
      log_means.push_back(-scores.log_mean);
      squares.push_back(scores.log_mean_error.square());
    }
    if (batch.weight.defined()) weights.push_back(batch.weight.to(at::kDouble));
    report.replicates = scores.replicates;
    if (done) done(end);
  }
  const at::Tensor weight = weights.empty() ? at::ones({rows}, at::kDouble) : at::cat(weights);
  const double sum = weight.sum().item<double>();
  report.nll = weighted_mean(at::cat(losses), weight);
  report.effective_rows = data::effective_rows(weight);
  report.noise_error = (weight * at::cat(errors)).norm().item<double>() / sum;
  report.bias_bound = (weight * at::cat(biases)).sum().item<double>() / sum;
  if (flow.noise_only() && !log_means.empty()) {
    report.probability = weighted_mean(at::cat(log_means), weight);
    report.probability_bias = 0.5 * (weight * at::cat(squares)).sum().item<double>() / sum;
  }
  return report;
}

}  // namespace contraflow
