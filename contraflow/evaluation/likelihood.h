#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "contraflow/core/export.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/evaluation/noise_shares.h"
#include "contraflow/evaluation/scores.h"
#include "contraflow/training/metrics.h"

namespace contraflow {

/// A negative log-likelihood and where it comes from; nats per event.
struct CF_EXPORT LikelihoodReport {
  Estimate nll;                 ///< By the weights of the rows.
  double effective_rows = 0.0;  ///< Of those weights; see data::effective_rows().
  double noise_error = 0.0;     ///< The part of nll's error that probes and dequantization make.
  NoiseShares noise = {};       ///< What of its square each of them makes.
  double bias_bound = 0.0;      ///< Certified bound on the bias of nll; 0 = none.
  Estimate latent;  ///< Of -log p(z) under the base alone: the base's entropy if z fits.
  Estimate base_entropy;
  int64_t replicates = 1;
  /// -log P(x) of rows of integers, by the mean density over the replicates; unset unless
  /// Flow::noise_only(). nll is an upper bound on it.
  std::optional<Estimate> probability = std::nullopt;
  double probability_bias = 0.0;  ///< What `probability` is high by, about, on average.

  /// The parts of nll's error, whose squares sum to its square: the choice of rows, and the random numbers.
  double data_error() const;
  double dequantization_error() const;
  double probe_error() const;
  double roulette_error() const;
};

/// Called after each chunk with the rows that are done.
using RowsDone = std::function<void(int64_t rows)>;

/// Likelihood of the first `rows` rows of `source`.
///
/// Types      any floating dtype of the flow; means in float64.
/// Random     options.rng; row r draws as sample r.
/// Cost       one forward of every row, `options.replicates` of them where something is random. Where
///            estimators are, the first rows once more for their shares of the noise.
/// Memory     that of a chunk of rows; see rows_per_chunk().
/// Throws     as Flow::log_prob; MemoryError that names the chunk.
/// Example    const LikelihoodReport report = measure_likelihood(*flow, *splits.test, 1000, {});
CF_EXPORT LikelihoodReport measure_likelihood(const Flow& flow, const data::Source& source,
                                              int64_t rows, const ScoreOptions& options,
                                              const RowsDone& done = {});

}  // namespace contraflow
