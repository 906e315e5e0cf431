#include "contraflow/evaluation/score_feed.h"

#include "contraflow/core/error.h"
#include "contraflow/data/domain.h"

namespace contraflow {
namespace {

// A solve that fails names the rows that it was among.
LogProbWithError score_chunk(const Flow& flow, const data::Batch& batch,
                             const ScoreOptions& options, const std::string& source) {
  try {
    return score_batch(flow, batch, options);
  } catch (const ConvergenceError& error) {
    const int64_t end = batch.first_row + batch.x.size(0) - 1;
    throw ConvergenceError(std::string(error.what()) + " This was among rows " +
                           std::to_string(batch.first_row) + " to " + std::to_string(end) + " of " +
                           source + ".");
  }
}

}  // namespace

void score_feed(const Flow& flow, const data::Columns& columns, const RowFeed& feed,
                const ScoreOptions& options, const UseScores& use) {
  const int64_t chunk = rows_per_chunk(columns.dim());
  int64_t rows = 0;
  while (true) {
    const data::Batch batch = feed.next(rows, chunk);
    if (batch.x.size(0) == 0) break;
    data::check_domain(batch.x, columns, feed.name, rows);
    const LogProbWithError scores = score_chunk(flow, batch, options, feed.name);
    rows += batch.x.size(0);
    use(scores, rows, feed.fraction(rows));
  }
  if (rows > 0) return;
  fail<ConfigError>("score", feed.name, "at least one row", "none", "Check the file.");
}

}  // namespace contraflow
