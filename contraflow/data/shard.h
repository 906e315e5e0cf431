#pragma once

#include "contraflow/core/export.h"
#include "contraflow/data/source.h"

namespace contraflow::data {

/// One rank's part of a source, for training by several processes.
///
/// Batches    rank r of R gets rows r n / R to (r + 1) n / R - 1 of the n rows of the whole batch,
///            with their numbers in the whole (first_row). So the ranks together draw what one
///            process draws, and batch_size counts the rows of all ranks.
/// Rows       size() and rows() are those of the whole source: what is measured on its first rows
///            is the same on every rank.
/// Random     none of its own.
/// Threads    as the source.
/// Throws     ConfigError (a rank outside of 0 .. ranks - 1); see Source.
/// Example    const SourcePtr mine = shard(splits.train, rank, ranks);
CF_EXPORT SourcePtr shard(SourcePtr source, int64_t rank, int64_t ranks);

}  // namespace contraflow::data
