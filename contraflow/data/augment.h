#pragma once

#include <functional>

#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"
#include "contraflow/data/source.h"

namespace contraflow::data {

/// Changes the rows of a training batch, for example by flips. Row r of the batch draws as sample
/// rng.first_row() + r, so a row's change does not depend on how the batch is cut.
using Augmentation = std::function<Batch(Batch batch, const Rng& rng)>;

/// A source whose training batches pass through `change`.
///
/// Batches    change(batch, rng.rows_from(batch.first_row)): every step draws anew.
/// Rows       size() and rows() are those of the source, unchanged: validation and what is measured
///            before the training see the data themselves.
/// Random     a pure function of (rng, row) where `change` is.
/// Threads    as the source; `change` may be called concurrently.
/// Throws     ShapeError (`change` gave another number of rows, or events of another shape); what
///            `change` throws; see Source.
/// Example    const SourcePtr flipped = augment(splits.train, flip, Rng(seed).fork("flip"));
CF_EXPORT SourcePtr augment(SourcePtr source, Augmentation change, const Rng& rng);

}  // namespace contraflow::data
