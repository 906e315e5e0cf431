#include <algorithm>

#include "contraflow/kernels/cuda/check.cuh"
#include "contraflow/kernels/cuda/jets.cuh"
#include "contraflow/kernels/cuda/run.h"

namespace contraflow::kernels::cuda {
namespace {

template <class T>
__global__ void jets_kernel(JetCall<T> call) {
  const int64_t count = call.rows * call.features;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t k = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; k < count;
       k += step)
    jet_element(call, k);
}

template <class T>
void launch(const JetCall<T>& call, cudaStream_t stream) {
  constexpr int64_t kThreads = 256, kMostBlocks = int64_t{1} << 16;
  const int64_t blocks =
      std::min((call.rows * call.features + kThreads - 1) / kThreads, kMostBlocks);
  if (blocks == 0) return;
  jets_kernel<T><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(call);
  CF_CUDA_CHECK(cudaGetLastError());
}

}  // namespace

const char* launch_jets(const JetCall<float>& call, void* stream) noexcept {
  return guarded([&] { launch(call, static_cast<cudaStream_t>(stream)); });
}
const char* launch_jets(const JetCall<double>& call, void* stream) noexcept {
  return guarded([&] { launch(call, static_cast<cudaStream_t>(stream)); });
}

}  // namespace contraflow::kernels::cuda
