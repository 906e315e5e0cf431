#include "contraflow/core/parallel.h"

#include <ATen/Parallel.h>

#include <atomic>

namespace contraflow {

void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body) {
  at::parallel_for(begin, end, grain, body);
}

void parallel_items(int64_t count, const std::function<void(int64_t index)>& body) {
  std::atomic<int64_t> next{0};
  // Which range a thread was given does not matter; that there is one for each thread does.
  at::parallel_for(0, count, 1, [&](int64_t /*begin*/, int64_t /*end*/) {
    for (int64_t i = next++; i < count; i = next++) body(i);
  });
}

bool parallel_for_has_threads() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

}  // namespace contraflow
