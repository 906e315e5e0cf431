// The device kernels on a card, against the CPU's: compiled with CONTRAFLOW_CUDA, skipped where no
// device is present.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <deque>

#include "contraflow/core/error.h"
#include "contraflow/kernels/cuda/check.cuh"
#include "contraflow/kernels/cuda/dispatch.h"
#include "contraflow/kernels/cuda/flatten.h"
#include "contraflow/kernels/cuda/jets.cuh"
#include "tests/kernels/program_cases.h"

namespace contraflow::kernels {
namespace {

// Null, or why there is nothing to run on.
const char* no_device() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) return cudaGetErrorString(error);
  return count > 0 ? nullptr : "no CUDA device";
}

#define CF_SKIP_WITHOUT_DEVICE() \
  if (const char* why = no_device()) GTEST_SKIP() << "no card to run on: " << why

// Copies of host arrays on the device, for one call.
class OnDevice {
 public:
  template <class T>
  T* copy(const T* from, int64_t count) {
    if (from == nullptr) return nullptr;
    const auto bytes = count * static_cast<int64_t>(sizeof(T));
    const auto& buffer = buffers_.emplace_back(bytes, nullptr);
    buffer.upload(reinterpret_cast<const char*>(from));
    return reinterpret_cast<T*>(buffer.data());
  }
  /// Copied back by download().
  template <class T>
  T* output(T* host, int64_t count) {
    T* device = copy(host, count);
    if (host != nullptr) outputs_.push_back({host, device, static_cast<size_t>(count) * sizeof(T)});
    return device;
  }
  void download() const {
    for (const Output& o : outputs_)
      CF_CUDA_CHECK(cudaMemcpy(o.host, o.device, o.bytes, cudaMemcpyDeviceToHost));
  }

 private:
  struct Output {
    void* host;
    const void* device;
    size_t bytes;
  };
  std::deque<cuda::DeviceBuffer<char>> buffers_;
  std::vector<Output> outputs_;
};

template <class T>
TileProgram copy_program(const TileProgram& host, int64_t batch, OnDevice& device) {
  TileProgram out = host;
  for (TileStep& step : out.steps) {
    auto* block = std::get_if<TileBlock>(&step);
    if (block == nullptr) continue;
    for (TileLayer& layer : block->net.layers) {
      layer.weight = device.copy(static_cast<const T*>(layer.weight), layer.inputs * layer.outputs);
      layer.bias = device.copy(static_cast<const T*>(layer.bias), layer.outputs);
    }
    TileSeries& series = block->series;
    series.counts = device.copy(series.counts, batch);
    series.probes =
        device.copy(static_cast<const T*>(series.probes), series.probe_count * batch * host.dim);
  }
  return out;
}

template <class T>
void run_on_device(TileCall<T>& call) {
  OnDevice device;
  const TileProgram program = copy_program<T>(*call.program, call.batch, device);
  const int64_t values = call.batch * program.dim;
  TileCall<T> on = call;
  on.program = &program;
  on.x = device.copy(call.x, values);
  on.y = device.output(call.y, values);
  on.log_det = device.output(call.log_det, call.batch);
  on.solve_error = device.output(call.solve_error, call.batch);
  on.bias_bound = device.output(call.bias_bound, call.batch);
  cuda::run_tiles(on, nullptr);
  CF_CUDA_CHECK(cudaDeviceSynchronize());
  device.download();
  call.status = on.status;
}

template <class T>
class CudaDevice : public ::testing::Test {};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CudaDevice, Floats);

TYPED_TEST(CudaDevice, JetsAreThoseOfTheHost) {
  CF_SKIP_WITHOUT_DEVICE();
  const int64_t rows = 37, features = 9;
  std::vector<TypeParam> z;
  for (int64_t k = 0; k < rows * features; ++k)
    z.push_back(static_cast<TypeParam>(-9.03 + 18.0 * static_cast<double>(k) / (rows * features)));
  for (const Activation kind : kElementwise) {
    SCOPED_TRACE(static_cast<int>(kind));
    const int64_t width = features * expansion(kind);
    std::array<std::vector<TypeParam>, 3> want, got;
    for (auto* set : {&want, &got})
      set->fill(std::vector<TypeParam>(static_cast<size_t>(rows * width)));
    cuda::JetCall<TypeParam> call{.kind = cuda::kind_of(kind), .rows = rows, .features = features};
    const TypeParam beta = static_cast<TypeParam>(1.3);
    call.z_stride = features;
    call.out_stride = width;
    cuda::JetCall<TypeParam> host = call;
    host.z = z.data();
    host.beta = &beta;
    host.value = want[0].data();
    host.slope = want[1].data();
    host.curvature = want[2].data();
    for (int64_t k = 0; k < rows * features; ++k) jet_element(host, k);
    OnDevice device;
    call.beta = device.copy(&beta, 1);
    call.z = device.copy(z.data(), rows * features);
    call.value = device.output(got[0].data(), rows * width);
    call.slope = device.output(got[1].data(), rows * width);
    call.curvature = device.output(got[2].data(), rows * width);
    cuda::run_jets(call, nullptr);
    device.download();
    for (size_t j = 0; j < 3; ++j) expect_near("jet", got[j], want[j]);
  }
}

// One tile; many tiles; more than the blocks of a launch take at once.
constexpr std::array<int64_t, 3> kBatches{11, 700, 9001};

TYPED_TEST(CudaDevice, RunsAreThoseOfTheCpu) {
  CF_SKIP_WITHOUT_DEVICE();
  for (const auto& program : program_cases<TypeParam>()) {
    for (const int64_t batch : kBatches) {
      SCOPED_TRACE(::testing::Message() << program.name << ", batch " << batch);
      const auto sample = program.make(batch);
      expect_same(run_forward<TypeParam>(*sample, run_on_device<TypeParam>),
                  run_forward(*sample, on_cpu<TypeParam>()));
    }
  }
}

// Weights, and then a sample's memory too, that no thread block can keep close.
TYPED_TEST(CudaDevice, WideNetsRunFromGlobalMemory) {
  CF_SKIP_WITHOUT_DEVICE();
  for (const int64_t width : {160, 1500}) {
    SCOPED_TRACE(width);
    SampleProgram<TypeParam> sample(6, 40);
    sample.add_block({width, 64}, Activation::kCPila, /*dense=*/true);
    expect_same(run_forward<TypeParam>(sample, run_on_device<TypeParam>),
                run_forward(sample, on_cpu<TypeParam>()));
  }
}

TYPED_TEST(CudaDevice, TheSameRunGivesTheSameBits) {
  CF_SKIP_WITHOUT_DEVICE();
  const auto sample = program_cases<TypeParam>()[2].make(700);
  const auto first = run_forward<TypeParam>(*sample, run_on_device<TypeParam>);
  const auto second = run_forward<TypeParam>(*sample, run_on_device<TypeParam>);
  EXPECT_EQ(first.y, second.y);
  EXPECT_EQ(first.log_det, second.log_det);
}

TYPED_TEST(CudaDevice, FailedSolvesNameTheirRow) {
  CF_SKIP_WITHOUT_DEVICE();
  SampleProgram<TypeParam> sample(2, 700);
  TileBlock& block = sample.add_block({6}, Activation::kTanh, /*dense=*/false);
  sample.make_monotone(block);
  block.max_iterations = 2;
  const auto got = run_forward<TypeParam>(sample, run_on_device<TypeParam>);
  EXPECT_EQ(got.status.row, 0);
  EXPECT_GT(got.status.bound, 0);
}

TYPED_TEST(CudaDevice, AnEmptyBatchIsNoError) {
  CF_SKIP_WITHOUT_DEVICE();
  const auto sample = program_cases<TypeParam>()[1].make(0);
  const auto got = run_forward<TypeParam>(*sample, run_on_device<TypeParam>);
  EXPECT_EQ(got.status.row, -1);
}

TYPED_TEST(CudaDevice, WithoutADeviceRunsSayWhy) {
  if (no_device() == nullptr) GTEST_SKIP() << "there is a device";
  const auto sample = program_cases<TypeParam>()[1].make(3);
  TileCall<TypeParam> call;
  call.program = &sample->program;
  call.batch = 3;
  try {
    cuda::run_tiles(call, nullptr);
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("[kernels.cuda] cudaMallocAsync"), std::string::npos) << text;
    EXPECT_NE(text.find("expected cudaSuccess, got cudaError"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace contraflow::kernels
