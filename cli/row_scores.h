#pragma once

#include <string>

#include "cli/console.h"
#include "cli/run_config.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/estimate.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/metrics.h"

namespace contraflow::cli {

/// How log-densities are computed.
struct ScoreOptions {
  bool is_random = false;  ///< Average `replicates` draws and report their spread.
  int64_t replicates = 4;  ///< >= 2.
  Rng rng{0};              ///< Row r draws as sample r.
};

/// Log-densities of a batch; float64. Without randomness the errors are 0.
LogProbWithError score_batch(const Flow& flow, const data::Batch& batch,
                             const ScoreOptions& options);

/// Rows at a time, so that memory does not depend on the data.
int64_t rows_per_chunk(int64_t dim);

/// Throws DomainError naming row and column of the first value the model has no density for: not an
/// integer level, or outside of its bounds.
void check_domain(const at::Tensor& x, const DataColumns& columns, const std::string& source,
                  int64_t first_row);

/// A negative log-likelihood and where it comes from; nats per event.
struct LikelihoodReport {
  MeanWithError nll;            ///< By the weights of the rows.
  double effective_rows = 0.0;  ///< Of those weights; see data::effective_rows().
  double noise_error = 0.0;     ///< The part of nll's error that probes and dequantization make.
  double bias_bound = 0.0;      ///< Certified bound on the bias of nll; 0 = none.
  MeanWithError latent;  ///< Of -log p(z) under the base alone: the base's entropy if z fits.
  MeanWithError base_entropy;
  int64_t replicates = 1;
};

/// Over the first `rows` rows of `source`.
LikelihoodReport measure_likelihood(const Flow& flow, const data::Source& source, int64_t rows,
                                    const ScoreOptions& options, RowProgress& progress);

}  // namespace contraflow::cli
