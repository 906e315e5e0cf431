#pragma once

#include "contraflow/core/export.h"
#include "contraflow/data/source.h"

namespace contraflow::data {

/// A source whose next training batches are read by a thread of their own while the caller works on
/// the one before.
///
/// Batches    those of the source, bit for bit. Read ahead are the steps after the last one asked
///            for, with the same batch size and rows; any other request is answered too, and reading
///            ahead goes on from there.
/// Memory     at most `ahead` batches, and the one that is being read.
/// Random     none of its own.
/// Threads    const members may run concurrently. The thread calls the source's const members; work
///            that it does in parallel elsewhere runs on this one thread.
/// Stop       the destructor waits for the read in progress and drops what was read ahead.
/// Throws     ConfigError (ahead < 1). What the source throws for a step comes out of batch() of
///            that step, not before; asking again reads again.
/// Example    const SourcePtr train = prefetch(splits.train);
CF_EXPORT SourcePtr prefetch(SourcePtr source, int64_t ahead = 2);

}  // namespace contraflow::data
