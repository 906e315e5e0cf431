#pragma once

#include <cstdint>
#include <functional>

namespace contraflow {

/// Calls `body` on ranges that together are begin .. end - 1, on LibTorch's threads.
///
/// at::parallel_for is a template that runs serially in code compiled without OpenMP, as this
/// project is but for one file; this is that file's function.
///
/// Grain      no range but the last is shorter than `grain` (>= 1). Within another region there is
///            one range. How the ranges are cut depends on the threads, so the numbers that
///            `body` computes for one index must not depend on its range.
/// Threads    at most at::get_num_threads() (training.threads, --threads, OMP_NUM_THREADS). The
///            caller works alone where it has measured that it is faster alone, because other
///            programs keep the cores busy (core/thread_choice.h). LibTorch's functions run on one
///            thread in `body`.
/// Forks      a child process whose parent had started threads has none of them; there the caller
///            does everything.
/// Cost       3 us while the threads are awake, up to 50 us to wake them: make `grain` that long.
/// Throws     what `body` throws, once all ranges have ended.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body);

/// Calls `body` once for each of 0 .. count - 1. A thread takes the next index when it is done with
/// its last: for items that cost much but not equally, or threads that are not equally fast.
///
/// Threads    as parallel_for().
/// Cost       as parallel_for(), and an atomic addition for each item.
/// Throws     what `body` throws, once all threads have ended.
void parallel_items(int64_t count, const std::function<void(int64_t index)>& body);

/// Sets the number of threads that LibTorch and this library use; 0 keeps the number as it is. A
/// number that exceeds the cores is warned of, once; `where` begins the line.
void set_threads(const char* where, int64_t threads);

/// Cores that this process may run on.
int cores();

/// Whether this build's parallel_for() starts threads at all.
bool parallel_for_has_threads();

}  // namespace contraflow
