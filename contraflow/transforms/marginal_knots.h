#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "contraflow/core/estimate.h"
#include "contraflow/core/export.h"

namespace contraflow {

struct MarginalKnotsOptions {
  /// Numbers of knots to try, in increasing order, 0 first.
  std::vector<int64_t> candidates = {0, 4, 8, 16, 32, 64, 128, 256, 400, 800};
  /// Training rows that a knot needs: candidates of more than rows / rows_per_knot are left out.
  int64_t rows_per_knot = 10;
  /// A finer curve has to be better by so many standard errors of the difference.
  double standard_errors = 1.0;
};

/// One number of knots in one column.
struct MarginalTrial {
  int64_t knots = 0;
  Estimate log_prob;  ///< Mean of the held-out rows, nats, with a standard normal base.
  Estimate gain;      ///< Paired difference to the coarser curve that it was held against.
};

struct MarginalKnots {
  std::vector<int64_t> knots;                      ///< [D], for MarginalSplineOptions::knots.
  std::vector<std::vector<MarginalTrial>> trials;  ///< [D], in the order of the candidates.
};

/// How finely the curve of each column pays: fitted on `train` [N, D], judged by the log-likelihood
/// of the rows of `validation` [M, D], column by column, without a flow behind. From the coarsest
/// on, a finer one is taken where it is better by `standard_errors` than the one that holds, so 0,
/// the affine map, where no curve is better.
///
/// Types      float32, float64: curves are fitted as MarginalSpline fits them in that type.
/// Random     none.
/// Cost       one sort of each column, and for each candidate one pass over `validation`.
/// Threads    columns share LibTorch's threads.
/// Throws     ShapeError, DtypeError; DomainError (not finite, a constant column, fewer than two
///            rows); ConfigError (candidates that do not increase from 0).
/// Example    const auto found = choose_marginal_knots(train, validation);
///            MarginalSpline map({.event = 6, .knots = found.knots});
CF_EXPORT MarginalKnots choose_marginal_knots(const at::Tensor& train, const at::Tensor& validation,
                                              const MarginalKnotsOptions& options = {});

}  // namespace contraflow
