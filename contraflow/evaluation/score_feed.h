#pragma once

#include <cstdint>
#include <functional>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/evaluation/row_feed.h"
#include "contraflow/evaluation/scores.h"

namespace contraflow {

/// Gets the scores of a chunk, the number of rows that are done with it, and their fraction of all.
using UseScores =
    std::function<void(const LogProbWithError& scores, int64_t rows, double fraction)>;

/// Scores a feed chunk by chunk, so that memory does not depend on its length.
///
/// Random     options.rng; row r draws as sample r.
/// Throws     ConfigError (a feed without rows); DomainError naming row and place of a value that
///            `columns` exclude; ConvergenceError naming the rows of the chunk; what `use` throws.
/// Example    score_feed(*model.flow, model.columns, feed, {}, [&](const auto& scores, auto, auto) {
///              writer->append(scores.log_prob.unsqueeze(1));
///            });
CF_EXPORT void score_feed(const Flow& flow, const data::Columns& columns, const RowFeed& feed,
                          const ScoreOptions& options, const UseScores& use);

}  // namespace contraflow
