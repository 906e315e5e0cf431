#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/evaluation/row_feed.h"
#include "contraflow/evaluation/scores.h"

namespace contraflow {

/// What became of a row. Only kScored ones have a density by the model's arithmetic.
enum class RowFlag : uint8_t {
  kScored,
  kMissing,   ///< A value is missing or not a number: no score.
  kOutside,   ///< A value that its column cannot have, such as one beyond a bound: -inf.
  kAbsurd,    ///< A value millions of deviations away from all of the training: -inf.
  kUnsolved,  ///< A solve did not converge: no score.
};

constexpr auto enum_names(RowFlag) {
  return std::array{std::pair{"scored", RowFlag::kScored}, std::pair{"missing", RowFlag::kMissing},
                    std::pair{"outside", RowFlag::kOutside}, std::pair{"absurd", RowFlag::kAbsurd},
                    std::pair{"unsolved", RowFlag::kUnsolved}};
}

/// Scores of rows of which some may have none: their log_prob is -inf (kOutside, kAbsurd) or NaN.
struct FlaggedScores {
  LogProbWithError scores;
  std::vector<RowFlag> flags;  ///< [B]
};

/// Log-densities of a batch, whatever its rows hold: a bad row gets a flag, and the others what they
/// would have got without it.
///
/// Shapes     batch.x: [B, D]; a missing value is NaN. Results: [B], nats, float64 on the CPU.
/// Random     options.rng; row r draws as sample batch.first_row + r.
/// Throws     as Flow::log_prob for what no single row is to blame for.
CF_EXPORT FlaggedScores score_rows(const Flow& flow, const data::Columns& columns,
                                   const data::Batch& batch, const ScoreOptions& options = {});

/// Gets the scores of a chunk, the number of rows that are done with it, and their fraction of all.
using UseScores = std::function<void(const FlaggedScores& scores, int64_t rows, double fraction)>;

/// Scores a feed chunk by chunk, so that memory does not depend on its length; see score_rows().
///
/// Random     options.rng; row r draws as sample r.
/// Throws     ConfigError (a feed without rows); what `use` throws.
/// Example    score_feed(*model.flow, model.columns, feed, {}, [&](const auto& part, auto, auto) {
///              writer->append(part.scores.log_prob.unsqueeze(1));
///            });
CF_EXPORT void score_feed(const Flow& flow, const data::Columns& columns, const RowFeed& feed,
                          const ScoreOptions& options, const UseScores& use);

}  // namespace contraflow
