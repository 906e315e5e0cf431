#include "contraflow/core/error.h"
#include "contraflow/kernels/cuda/dispatch.h"

// The device kernels of a build without CUDA.
namespace contraflow::kernels::cuda {
namespace {

[[noreturn]] void missing(const char* where) {
  fail<ConfigError>(where, "CUDA", "a build with CONTRAFLOW_CUDA=ON", "one without",
                    "Configure with -DCONTRAFLOW_CUDA=ON and a CUDA build of LibTorch, or move the "
                    "tensors to the CPU.");
}

}  // namespace

bool compiled() { return false; }

void run_tiles(TileCall<float>& /*call*/, void* /*stream*/) { missing("kernels.cuda.run_tiles"); }
void run_tiles(TileCall<double>& /*call*/, void* /*stream*/) { missing("kernels.cuda.run_tiles"); }

void run_jets(const JetCall<float>& /*call*/, void* /*stream*/) {
  missing("kernels.cuda.run_jets");
}
void run_jets(const JetCall<double>& /*call*/, void* /*stream*/) {
  missing("kernels.cuda.run_jets");
}

}  // namespace contraflow::kernels::cuda
