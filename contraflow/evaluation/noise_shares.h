#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/core/export.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/evaluation/scores.h"

namespace contraflow {

/// What part of the variance of a log-density each random number has; they sum to 1, or are all 0 where
/// nothing is random.
struct NoiseShares {
  double dequantization = 0.0;  ///< Of the noise in integers.
  double probe = 0.0;           ///< Of the random directions of traces.
  double roulette = 0.0;        ///< Of the random lengths of series.
};

/// The shares at some rows, whose log-densities by independent draws have the variance `variance` [B]
/// each. What probes and roulette make is measured block by block on the way of one draw: two estimates with
/// independent random numbers differ by both, and one of roulette differs from the series with the
/// same probes, summed until 1e-3 nats are left, by the roulette alone. The rest is dequantization.
///
/// Random     options.rng; row r draws as sample r.
/// Cost       two passes and, for roulette, two long series, of every block.
/// Example    const NoiseShares shares = noise_shares(*flow, batch, scores.standard_error.square() * 8, {});
CF_EXPORT NoiseShares noise_shares(const Flow& flow, const data::Batch& batch,
                                   const at::Tensor& variance, const ScoreOptions& options);

}  // namespace contraflow
