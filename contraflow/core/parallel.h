#pragma once

#include <cstdint>
#include <functional>

namespace contraflow {

/// Calls `body` on ranges that together are begin .. end - 1, on LibTorch's threads.
///
/// at::parallel_for is a template that runs serially in code compiled without OpenMP, as this
/// project is but for one file; this is that file's function.
///
/// Grain      no range but the last is shorter than `grain` (>= 1); at most one range per thread
///            of at::get_num_threads(). One range, on the caller's thread, within another parallel
///            region. How the ranges are cut depends on the number of threads, so what `body`
///            computes for one index must not depend on its range.
/// Cost       3 us while the threads are awake, up to 50 us to wake them: make `grain` that long.
/// Throws     what `body` throws, once all ranges have ended.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body);

/// Calls `body` once for each of 0 .. count - 1. A thread takes the next index when it is done with
/// its last: for items that cost much but not equally, or threads that are not equally fast.
///
/// Cost       as parallel_for(), and an atomic addition for each item.
/// Throws     what `body` throws, once all threads have ended.
void parallel_items(int64_t count, const std::function<void(int64_t index)>& body);

/// Whether this build's parallel_for() starts threads at all.
bool parallel_for_has_threads();

}  // namespace contraflow
