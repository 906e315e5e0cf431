#include "contraflow/core/parallel.h"

#include <ATen/Parallel.h>

namespace contraflow {

void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end)>& body) {
  at::parallel_for(begin, end, grain, body);
}

bool parallel_for_has_threads() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

}  // namespace contraflow
