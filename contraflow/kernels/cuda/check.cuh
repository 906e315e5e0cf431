#pragma once

#include <cuda_runtime_api.h>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace contraflow::kernels::cuda {

/// Every call of the CUDA runtime goes through this: throws std::runtime_error with the call, the
/// error's name and the place. Caught by guarded(), before it can cross run.h.
#define CF_CUDA_CHECK(...) \
  ::contraflow::kernels::cuda::check((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

inline void check(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string("[kernels.cuda] ") + call + ": expected cudaSuccess, got " +
                           cudaGetErrorName(error) + " (" + cudaGetErrorString(error) + ") at " +
                           file + ":" + std::to_string(line) +
                           ". Check the device and its free memory, or run on the CPU.");
}

/// Null, or the text of what `body` threw.
template <class F>
const char* guarded(F&& body) noexcept {
  thread_local char text[1024];
  try {
    body();
    return nullptr;
  } catch (const std::exception& error) {
    std::snprintf(text, sizeof(text), "%s", error.what());
  }
  return text;
}

/// Device memory in the order of a stream; freed there too.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer(int64_t count, cudaStream_t stream) : count_(count), stream_(stream) {
    if (count > 0) CF_CUDA_CHECK(cudaMallocAsync(&data_, bytes(), stream));
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  // A failure here was reported by an earlier call, or will be by the next.
  ~DeviceBuffer() {
    if (data_ != nullptr) static_cast<void>(cudaFreeAsync(data_, stream_));
  }

  T* data() const { return static_cast<T*>(data_); }
  /// From pageable memory of the host: returns once that is copied to a buffer of the driver's.
  void upload(const T* from) const {
    if (count_ > 0)
      CF_CUDA_CHECK(cudaMemcpyAsync(data_, from, bytes(), cudaMemcpyHostToDevice, stream_));
  }

 private:
  size_t bytes() const { return static_cast<size_t>(count_) * sizeof(T); }

  void* data_ = nullptr;
  int64_t count_;
  cudaStream_t stream_;
};

}  // namespace contraflow::kernels::cuda
