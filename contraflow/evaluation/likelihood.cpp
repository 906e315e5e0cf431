#include "contraflow/evaluation/likelihood.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "contraflow/data/weights.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {
namespace {

// -log p(z) of the first rows, and the entropy of the base by its own samples.
void measure_latents(const Flow& flow, const data::Source& source, int64_t rows, const Rng& rng,
                     LikelihoodReport& report) {
  constexpr int64_t kMostRows = 2000;
  constexpr int64_t kBaseSamples = 20000, kLeastSamples = 100, kBaseNumbers = int64_t{1} << 21;
  const int64_t most = std::min(rows, kMostRows), chunk = rows_per_chunk(event_size(flow));
  std::vector<at::Tensor> losses, weights;
  for (int64_t begin = 0; begin < most; begin += chunk) {
    const data::Batch raw = source.rows(begin, std::min(most, begin + chunk));
    const data::Batch batch = batch_to(raw, input_kind_of(flow));
    const Context context{.condition = batch.condition,
                          .rng = rng.fork("latent").rows_from(begin),
                          .hints = {.wants_log_det = false}};
    losses.push_back(-flow.base()->log_prob(flow.transform()->forward(batch.x, context).value));
    if (batch.weight.defined()) weights.push_back(batch.weight);
  }
  report.latent = weighted_mean(at::cat(losses), weights.empty() ? at::Tensor() : at::cat(weights));
  const int64_t samples = std::clamp(kBaseNumbers / event_size(flow), kLeastSamples, kBaseSamples);
  const at::Tensor own = flow.base()->sample(samples, rng.fork("base entropy"));
  report.base_entropy = weighted_mean(-flow.base()->log_prob(own), {});
}

/// Scores of the chunks, to be put together at the end.
class LikelihoodParts {
 public:
  void add(const LogProbWithError& scores, const at::Tensor& weight) {
    losses_.push_back(-scores.log_prob);
    errors_.push_back(scores.standard_error);
    biases_.push_back(scores.bias_bound);
    if (scores.log_mean.defined()) {
      log_means_.push_back(-scores.log_mean);
      squares_.push_back(scores.log_mean_error.square());
    }
    weights_.push_back(weight.defined() ? weight.to(at::kDouble) : at::ones_like(scores.log_prob));
  }

  void put_into(LikelihoodReport& report, bool noise_only) const {
    const at::Tensor weight = at::cat(weights_);
    const double sum = weight.sum().item<double>();
    report.nll = weighted_mean(at::cat(losses_), weight);
    report.effective_rows = data::effective_rows(weight);
    report.noise_error = (weight * at::cat(errors_)).norm().item<double>() / sum;
    report.bias_bound = (weight * at::cat(biases_)).sum().item<double>() / sum;
    if (!noise_only || log_means_.empty()) return;
    report.probability = weighted_mean(at::cat(log_means_), weight);
    report.probability_bias = 0.5 * (weight * at::cat(squares_)).sum().item<double>() / sum;
  }

 private:
  std::vector<at::Tensor> losses_, errors_, biases_, weights_, log_means_, squares_;
};

// Of the first rows: series that are summed to their end take longer than estimates.
NoiseShares shares_of(const Flow& flow, const data::Batch& batch, const LogProbWithError& scores,
                      const ScoreOptions& options) {
  constexpr int64_t kMostRows = 64;
  const int64_t rows = std::min(kMostRows, batch.x.size(0));
  const auto first = [rows](const at::Tensor& t) { return t.defined() ? t.narrow(0, 0, rows) : t; };
  const data::Batch some{
      .x = first(batch.x), .condition = first(batch.condition), .first_row = batch.first_row};
  const at::Tensor variance =
      first(scores.standard_error).square() * static_cast<double>(scores.replicates);
  return noise_shares(flow, some, variance, options);
}

double part(double error, double share) { return error * std::sqrt(share); }

}  // namespace

double LikelihoodReport::data_error() const {
  const double all = nll.standard_error;
  return std::sqrt(std::max(0.0, all * all - noise_error * noise_error));
}
double LikelihoodReport::dequantization_error() const {
  return part(noise_error, noise.dequantization);
}
double LikelihoodReport::probe_error() const { return part(noise_error, noise.probe); }
double LikelihoodReport::roulette_error() const { return part(noise_error, noise.roulette); }

LikelihoodReport measure_likelihood(const Flow& flow, const data::Source& source, int64_t rows,
                                    const ScoreOptions& options, const RowsDone& done) {
  const at::NoGradGuard no_grad;
  LikelihoodReport report;
  measure_latents(flow, source, rows, options.rng, report);
  LikelihoodParts parts;
  const int64_t chunk = rows_per_chunk(flow, options.batch);
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t end = std::min(rows, begin + chunk);
    const data::Batch batch = source.rows(begin, end);
    with_memory(memory_use("evaluate", flow, end - begin), [&] {
      const LogProbWithError scores = score_batch(flow, batch, options);
      parts.add(scores, batch.weight);
      report.replicates = scores.replicates;
      if (begin == 0) report.noise = shares_of(flow, batch, scores, options);
    });
    if (done) done(end);
  }
  parts.put_into(report, flow.noise_only());
  return report;
}

}  // namespace contraflow
