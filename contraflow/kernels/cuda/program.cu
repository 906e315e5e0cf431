#include "contraflow/kernels/cuda/check.cuh"
#include "contraflow/kernels/cuda/program.cuh"
#include "contraflow/kernels/cuda/run.h"

namespace contraflow::kernels::cuda {
namespace {

/// A thread of a thread block; `lanes` neighbours, within one warp, work on one sample.
class DeviceCrew {
 public:
  __device__ explicit DeviceCrew(int32_t lanes) : lanes_(lanes) {
    const unsigned all = lanes == 32 ? ~0U : (1U << lanes) - 1U;
    mask_ = all << (threadIdx.x % 32 / lanes * lanes);
  }

  // nvcc compiles the templates for the host too; nothing calls them there.
  CF_HD int32_t lane() const { return thread() % lanes_; }
  CF_HD int32_t lanes() const { return lanes_; }
  CF_HD int32_t thread() const {
#ifdef __CUDA_ARCH__
    return static_cast<int32_t>(threadIdx.x);
#else
    return 0;
#endif
  }
  CF_HD int64_t block() const {
#ifdef __CUDA_ARCH__
    return blockIdx.x;
#else
    return 0;
#endif
  }
  CF_HD void sync() const {
#ifdef __CUDA_ARCH__
    __syncwarp(mask_);
#endif
  }
  CF_HD void sync_block() const {
#ifdef __CUDA_ARCH__
    __syncthreads();
#endif
  }
  CF_HD void lower([[maybe_unused]] unsigned long long& to,
                   [[maybe_unused]] unsigned long long value) const {
#ifdef __CUDA_ARCH__
    atomicMin(&to, value);
#endif
  }
  CF_HD void raise([[maybe_unused]] unsigned long long& to,
                   [[maybe_unused]] unsigned long long value) const {
#ifdef __CUDA_ARCH__
    atomicMax(&to, value);
#endif
  }

 private:
  int32_t lanes_;
  unsigned mask_;
};

template <class T>
__global__ void pack_kernel(Run<T> run) {
  pack_step(run, run.steps[blockIdx.x], static_cast<int32_t>(threadIdx.x),
            static_cast<int32_t>(blockDim.x));
}

template <class T>
__global__ void __launch_bounds__(kMostThreads) program_kernel(const __grid_constant__ Run<T> run) {
  extern __shared__ double shared[];  // double: aligned for either type
  T* free = reinterpret_cast<T*>(shared);
  T* weights = run.layout.shared_weights ? free : nullptr;
  if (run.layout.shared_weights) free += run.shape.packed;
  T* scratch = run.layout.shared_scratch
                   ? free
                   : run.scratch + blockIdx.x * sample_rows(run.shape) * run.layout.stride;
  const DeviceCrew crew(run.layout.lanes);
  ProgramThread<DeviceCrew, T>(crew, run, weights, scratch).run();
}

template <class T>
void launch_main(const Run<T>& run, cudaStream_t stream) {
  const auto bytes = static_cast<int>(shared_bytes(run.shape, run.layout, sizeof(T)));
  CF_CUDA_CHECK(
      cudaFuncSetAttribute(program_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  program_kernel<T>
      <<<static_cast<unsigned>(run.layout.blocks), static_cast<unsigned>(run.layout.threads()),
         static_cast<size_t>(bytes), stream>>>(run);
  CF_CUDA_CHECK(cudaGetLastError());
}

template <class T>
RunOutcome read_outcome(const Run<T>& run, cudaStream_t stream) {
  RunStatus status;
  CF_CUDA_CHECK(
      cudaMemcpyAsync(&status, run.status, sizeof(status), cudaMemcpyDeviceToHost, stream));
  CF_CUDA_CHECK(cudaStreamSynchronize(stream));
  RunOutcome out;
  out.iterations = static_cast<int64_t>(status.iterations);
  if (status.first_failure == RunStatus::kNone) return out;
  out.row = static_cast<int64_t>(status.first_failure / 2);
  out.diverged = status.first_failure % 2 == 1;
  T bound = 0;
  CF_CUDA_CHECK(cudaMemcpyAsync(&bound, run.failure_bound + out.row, sizeof(T),
                                cudaMemcpyDeviceToHost, stream));
  CF_CUDA_CHECK(cudaStreamSynchronize(stream));
  out.bound = static_cast<double>(bound);
  return out;
}

// A program's arrays on the device.
struct DeviceArrays {
  DeviceArrays(const ProgramArrays& from, cudaStream_t stream)
      : steps(from.step_count, stream),
        layers(from.layer_count, stream),
        terms(from.term_count, stream),
        numbers(from.number_count, stream),
        status(1, stream) {
    steps.upload(from.steps);
    layers.upload(from.layers);
    terms.upload(from.terms);
    numbers.upload(from.numbers);
    const RunStatus none;
    status.upload(&none);
  }

  DeviceBuffer<FlatStep> steps;
  DeviceBuffer<FlatLayer> layers;
  DeviceBuffer<FlatTerm> terms;
  DeviceBuffer<double> numbers;
  DeviceBuffer<RunStatus> status;
};

// What a run needs beside its inputs and outputs.
template <class T>
struct Workspace {
  Workspace(const ProgramArrays& arrays, const Run<T>& run, cudaStream_t stream)
      : packed(arrays.packed_size, stream),
        failure_bound(arrays.solves ? run.batch : 0, stream),
        scratch(run.layout.shared_scratch
                    ? 0
                    : run.layout.blocks * sample_rows(run.shape) * run.layout.stride,
                stream) {}

  DeviceBuffer<T> packed, failure_bound, scratch;
};

template <class T>
RunOutcome launch(const ProgramArrays& host, Run<T> run, cudaStream_t stream) {
  if (run.batch == 0 || host.step_count == 0) return {};
  const DeviceArrays arrays(host, stream);
  const Workspace<T> workspace(host, run, stream);
  run.steps = arrays.steps.data();
  run.step_count = static_cast<int32_t>(host.step_count);
  run.layers = arrays.layers.data();
  run.terms = arrays.terms.data();
  run.numbers = arrays.numbers.data();
  run.status = arrays.status.data();
  run.packed = workspace.packed.data();
  run.failure_bound = workspace.failure_bound.data();
  run.scratch = workspace.scratch.data();
  pack_kernel<T><<<static_cast<unsigned>(host.step_count), 256, 0, stream>>>(run);
  CF_CUDA_CHECK(cudaGetLastError());
  launch_main(run, stream);
  return host.solves ? read_outcome(run, stream) : RunOutcome{};
}

}  // namespace

const char* launch_program(const ProgramArrays& arrays, Run<float> run, RunOutcome& outcome,
                           void* stream) noexcept {
  return guarded([&] { outcome = launch(arrays, run, static_cast<cudaStream_t>(stream)); });
}
const char* launch_program(const ProgramArrays& arrays, Run<double> run, RunOutcome& outcome,
                           void* stream) noexcept {
  return guarded([&] { outcome = launch(arrays, run, static_cast<cudaStream_t>(stream)); });
}

}  // namespace contraflow::kernels::cuda
