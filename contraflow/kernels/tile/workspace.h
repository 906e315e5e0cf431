#pragma once

#include <cstddef>
#include <cstdint>

namespace contraflow::kernels {

/// Memory of one tile and thread. A wider network gets fewer samples to a tile, not more memory.
inline constexpr int64_t kTileWorkspaceBytes = (int64_t{15} << 20) / 2;
/// Every block's tape is kept until the backward half while a tile stays within this, about a
/// second-level cache; beyond it computing again is as fast as reading back.
inline constexpr int64_t kKeptTapesBytes = (int64_t{5} << 20) / 2;

/// A forward run's tile, which holds no tape, stays within a second-level cache where that leaves
/// it enough samples.
inline constexpr int64_t kForwardBytes = (int64_t{7} << 20) / 4;
/// Beyond kKeptTapesBytes the pre-activations of all blocks are kept while they stay within this:
/// reading them back costs half of computing them again.
inline constexpr int64_t kKeptZBytes = int64_t{2} << 20;

enum class Workspace { kWeights, kGradients, kTile, kNorms, kLeftFactor, kRightFactor, kCount };

/// A buffer of this thread with at least `bytes`, kept for the next call: no allocation in steady
/// state. Aligned to Arena::kAlignment. Contents are lost when it grows.
std::byte* thread_workspace(Workspace kind, int64_t bytes);

}  // namespace contraflow::kernels
