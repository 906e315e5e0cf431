#pragma once

#include <c10/core/TensorOptions.h>

#include <cstdint>

#include "contraflow/core/export.h"
#include "contraflow/core/memory.h"
#include "contraflow/core/rng.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"

namespace contraflow {

/// How log-densities are computed.
struct ScoreOptions {
  int64_t replicates = 8;          ///< Draws per row where something is random; >= 2.
  Rng rng = Rng(0).fork("score");  ///< Row r draws as sample r.
  /// Rows at a time; 0 = as memory allows (rows_per_chunk). It changes nothing beyond rounding.
  int64_t batch = 0;
};

/// Dtype and device of the flow's weights.
CF_EXPORT at::TensorOptions kind_of(const Flow& flow);
/// Those of the rows and conditions that it takes: float64 where its transform is on the data side.
CF_EXPORT at::TensorOptions input_kind_of(const Flow& flow);
/// Numbers in one event.
CF_EXPORT int64_t event_size(const Flow& flow);

/// Log-densities of a batch with their Monte Carlo error.
///
/// Shapes     batch.x: [B] + flow.event_shape(); the batch is converted to the dtype that the flow
///            takes and to its device. Results: [B], nats.
/// Types      results in float64 on the CPU, whatever the flow has. The errors are 0 where nothing
///            is random.
/// Random     options.rng.rows_from(batch.first_row): how rows are batched does not matter.
/// Throws     as Flow::log_prob.
/// Example    const LogProbWithError scores = score_batch(*flow, {.x = x});
CF_EXPORT LogProbWithError score_batch(const Flow& flow, const data::Batch& batch,
                                       const ScoreOptions& options = {});

/// Rows at a time for events of `dim` numbers, so that memory does not depend on the data: whole
/// Jacobians of a chunk, dim^2 numbers a row, take at most 2 GiB.
CF_EXPORT int64_t rows_per_chunk(int64_t dim);

/// The same for log-densities of a flow: where it evaluates exact log-determinants, what exact_cost() says of
/// its blocks takes at most 1 GiB, or a quarter of the memory that there is. `batch` above 0 is taken as it is.
CF_EXPORT int64_t rows_per_chunk(const Flow& flow, int64_t batch);

/// What memory is wanted for when log-densities of `rows` rows are computed; see with_memory().
CF_EXPORT MemoryUse memory_use(const std::string& where, const Flow& flow, int64_t rows,
                               const std::string& remedy = "Lower --batch.");

}  // namespace contraflow
