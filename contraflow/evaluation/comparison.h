#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "contraflow/core/estimate.h"
#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/evaluation/row_feed.h"
#include "contraflow/training/metrics.h"

namespace contraflow {

/// Two models A and B on the same rows; nats per row.
struct CF_EXPORT ComparisonReport {
  std::string data;
  int64_t rows = 0;
  double effective_rows = 0.0;  ///< Of the rows' weights; see data::effective_rows().
  int64_t replicates = 1;
  Estimate nll_a, nll_b;
  Estimate difference;       ///< Of log p_A - log p_B.
  double noise_error = 0.0;  ///< The part of difference's error that random draws make.
  double bias_bound = 0.0;
  double won = 0.0;  ///< Share of the rows (by weight) at which A is higher.

  /// 95 % interval of the difference, widened by the certified bias.
  Interval interval() const;
  /// "A" or "B" where the interval leaves 0 out, else null.
  const char* better() const;
  /// What the error would be if the models had been evaluated apart.
  double unpaired_error() const { return std::hypot(nll_a.standard_error, nll_b.standard_error); }
};

struct ComparisonOptions {
  int64_t rows = 0;        ///< The first rows only; 0 = all.
  int64_t replicates = 4;  ///< Draws per row where something in either model is random.
  Rng rng{0};
  int64_t batch = 0;  ///< Rows at a time; 0 = as memory allows.
  /// Called after each chunk: rows that are done, and their fraction of all.
  std::function<void(int64_t rows, double fraction)> done = {};
};

/// Mean of log p_A(x) - log p_B(x) over the rows of a feed, with the same random numbers in both
/// models: what they have in common cancels, so the error is that of the differences.
///
/// Shapes     rows of `columns`, which both models have.
/// Types      the dtype and device of A, which B shares; means in float64.
/// Random     options.rng; row r draws as sample r.
/// Throws     ConfigError (a feed without rows), DomainError (a value without density), as
///            Flow::log_prob.
/// Source     distributions/compare.h.
CF_EXPORT ComparisonReport compare(const Flow& a, const Flow& b, const data::Columns& columns,
                                   const RowFeed& feed, const ComparisonOptions& options);

}  // namespace contraflow
