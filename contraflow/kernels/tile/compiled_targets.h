#pragma once

#include <cstdint>

namespace contraflow::kernels {

/// Highway's bits of the instruction sets that tile/run.cpp was compiled for.
int64_t compiled_targets();

}  // namespace contraflow::kernels
