#pragma once

#include <cstddef>
#include <cstdint>

namespace contraflow::kernels {

/// Memory of one tile and thread: what a second-level cache holds beside the weights.
inline constexpr int64_t kTileWorkspaceBytes = int64_t{1} << 20;
/// Every block's tape is kept until the backward half while a tile stays within this many times
/// that: re-reading the third-level cache costs less than computing again.
inline constexpr int64_t kKeepFactor = 2;

enum class Workspace { kWeights, kGradients, kTile, kCount };

/// A buffer of this thread with at least `bytes`, kept for the next call: no allocation in steady
/// state. Aligned to Arena::kAlignment. Contents are lost when it grows.
std::byte* thread_workspace(Workspace kind, int64_t bytes);

/// Largest sum of bytes that workspaces had since the last reset, over all threads; for benchmarks.
int64_t workspace_peak();

}  // namespace contraflow::kernels
