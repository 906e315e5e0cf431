#pragma once

#include "contraflow/transforms/block_relation.h"
#include "contraflow/transforms/lowering.h"

namespace contraflow {

/// Adds a block's relation to a tile program: what evaluate_relation() computes, with the same
/// random numbers. False, and nothing added, when the tile kernels cannot run it. Without a
/// log-determinant gradients cost a third to a half less, and the run must not want one.
bool lower_relation(const BlockRelation& relation, const Context& context, TileLowering& to);

}  // namespace contraflow
