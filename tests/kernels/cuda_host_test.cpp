// The mathematics of the device kernels, compiled for the host: against the composed activations,
// and against the tile kernels of the CPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/kernels/cuda/dispatch.h"
#include "tests/kernels/host_crew.h"
#include "tests/kernels/program_cases.h"

namespace contraflow::kernels {
namespace {

using cuda::Layout;

constexpr int64_t kBatch = 11;

// The device's jets of z [rows, features], through a batch whose rows stand apart.
template <class T>
ActivationJet device_jets(Activation kind, const at::Tensor& z, T beta) {
  const int64_t width = expansion(kind) * z.size(1);
  ActivationJet out;
  for (at::Tensor* t : {&out.value, &out.slope, &out.curvature})
    *t = at::full({z.size(0), width + 3}, -7.0, z.options());
  const at::Tensor apart = at::cat({z, at::zeros({z.size(0), 2}, z.options())}, 1).contiguous();
  cuda::JetCall<T> call;
  call.kind = cuda::kind_of(kind);
  call.beta = &beta;
  call.rows = z.size(0);
  call.features = z.size(1);
  call.z_stride = z.size(1) + 2;
  call.out_stride = width + 3;
  call.z = apart.const_data_ptr<T>();
  call.value = out.value.data_ptr<T>();
  call.slope = out.slope.data_ptr<T>();
  call.curvature = out.curvature.data_ptr<T>();
  for (int64_t k = 0; k < call.rows * call.features; ++k) jet_element(call, k);
  for (at::Tensor* t : {&out.value, &out.slope, &out.curvature}) {
    EXPECT_TRUE((t->narrow(1, width, 3) == -7.0).all().item<bool>()) << "wrote beyond a row";
    *t = t->narrow(1, 0, width);
  }
  return out;
}

template <class T>
void expect_jets(Activation kind, double relative) {
  const auto options = at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value);
  // Odd multiples of a step keep clear of the kinks, where a slope is a matter of convention.
  const at::Tensor ramp = at::linspace(-9.03, 9.01, 301, at::kDouble);
  const at::Tensor far = at::tensor({-1e30, -300.0, -40.0, 0.0, 40.0, 300.0, 1e30}, at::kDouble);
  const at::Tensor z = at::cat({ramp, far}).to(options).reshape({44, 7});
  const double beta = 1.3;
  const ActivationJet got = device_jets<T>(kind, z, static_cast<T>(beta));
  const ActivationJet want = activation_jet_composed(kind, z, at::scalar_tensor(beta, options), 2);
  const auto close = [&](const at::Tensor& a, const at::Tensor& b) {
    return at::allclose(a, b, relative, relative);
  };
  EXPECT_TRUE(close(got.value, want.value));
  EXPECT_TRUE(close(got.slope, want.slope));
  EXPECT_TRUE(close(got.curvature, want.curvature));
}

TEST(CudaJets, AreThoseOfTheDefinition) {
  for (const Activation kind : kElementwise) {
    SCOPED_TRACE(static_cast<int>(kind));
    expect_jets<double>(kind, 1e-14);
    expect_jets<float>(kind, 4e-6f);
  }
}

TEST(CudaJets, NotANumberComesThrough) {
  const at::Tensor z = at::full({1, 1}, NAN, at::kDouble);
  for (const Activation kind : kElementwise) {
    SCOPED_TRACE(static_cast<int>(kind));
    EXPECT_TRUE(device_jets<double>(kind, z, 1.0).value.isnan().all().item<bool>());
  }
}

TEST(CudaJets, SortingActivationsAreRefused) {
  EXPECT_THROW(cuda::kind_of(Activation::kFullSort), ConfigError);
}

TEST(CudaDispatch, WithoutCudaRunsSayWhatToDo) {
  if (cuda::compiled()) GTEST_SKIP() << "this build has CUDA";
  TileCall<double> call;
  try {
    cuda::run_tiles(call, nullptr);
    FAIL() << "expected a ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("[kernels.cuda.run_tiles] CUDA: expected"),
              std::string::npos)
        << error.what();
  }
}

// The device's code on threads of the host.
template <class T>
Runner<T> on_host(int32_t samples, int32_t lanes, bool shared_weights = true) {
  return [=](TileCall<T>& call) {
    Layout layout;
    layout.samples = samples;
    layout.lanes = lanes;
    layout.stride = samples | 1;
    layout.blocks = 2;
    layout.shared_weights = shared_weights;
    call.status = cuda::run_on_host(call, layout);
  };
}

// One thread for everything, samples beside each other, lanes that share a sample, and both;
// weights where they are.
template <class T>
std::vector<Runner<T>> host_runners() {
  return {on_host<T>(1, 1), on_host<T>(3, 1), on_host<T>(1, 3), on_host<T>(2, 2),
          on_host<T>(3, 1, false)};
}

template <class T>
class CudaProgram : public ::testing::Test {};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CudaProgram, Floats);

TYPED_TEST(CudaProgram, RunsAreThoseOfTheCpu) {
  for (const auto& program : program_cases<TypeParam>()) {
    SCOPED_TRACE(program.name);
    const auto sample = program.make(kBatch);
    const auto want = run_forward(*sample, on_cpu<TypeParam>());
    ASSERT_LT(want.status.row, 0);
    for (const auto& run : host_runners<TypeParam>()) expect_same(run_forward(*sample, run), want);
  }
}

TYPED_TEST(CudaProgram, ValuesAloneNeedNoLogDet) {
  for (const auto& program : program_cases<TypeParam>()) {
    SCOPED_TRACE(program.name);
    const auto sample = program.make(kBatch);
    SampleOutputs<TypeParam> want(*sample), got(*sample);
    run_forward(*sample, on_cpu<TypeParam>(), want);
    run_forward<TypeParam>(
        *sample,
        [](TileCall<TypeParam>& call) {
          call.log_det = nullptr;
          on_host<TypeParam>(2, 2)(call);
        },
        got);
    expect_near("y", got.y, want.y);
  }
}

TYPED_TEST(CudaProgram, BitsDoNotDependOnLanes) {
  for (const auto& program : program_cases<TypeParam>()) {
    SCOPED_TRACE(program.name);
    const auto sample = program.make(kBatch);
    const auto one = run_forward(*sample, on_host<TypeParam>(2, 1));
    const auto four = run_forward(*sample, on_host<TypeParam>(2, 4));
    EXPECT_EQ(one.y, four.y);
    EXPECT_EQ(one.log_det, four.log_det);
    EXPECT_EQ(one.solve_error, four.solve_error);
  }
}

TYPED_TEST(CudaProgram, FailedSolvesNameTheirRow) {
  SampleProgram<TypeParam> sample(2, kBatch);
  TileBlock& block = sample.add_block({6}, Activation::kTanh, /*dense=*/false);
  sample.make_monotone(block);
  block.max_iterations = 2;
  const auto want = run_forward(sample, on_cpu<TypeParam>());
  const auto got = run_forward(sample, on_host<TypeParam>(2, 2));
  EXPECT_EQ(want.status.row, 0);
  EXPECT_EQ(got.status.row, 0);
  EXPECT_EQ(got.status.iterations, 2);
  EXPECT_FALSE(got.status.diverged);
  EXPECT_GT(got.status.bound, 0);
}

TYPED_TEST(CudaProgram, SolvesGoOnWhereRoundingHidesAPlainStep) {
  SampleProgram<TypeParam> sample(1, 512);
  sample.add_zigzag();
  for (const auto& run : {on_cpu<TypeParam>(), on_host<TypeParam>(2, 2)}) {
    SampleOutputs<TypeParam> out(sample);
    run_forward(sample, run, out);
    EXPECT_LT(out.status.row, 0) << "a bound of " << out.status.bound;
  }
}

TYPED_TEST(CudaProgram, DivergenceIsToldFromSlowness) {
  SampleProgram<TypeParam> sample(2, kBatch);
  TileBlock& block = sample.add_block({6}, Activation::kTanh, /*dense=*/false);
  sample.make_monotone(block);
  block.net.layers.back().scale = 60;  // kappa is a lie
  const auto want = run_forward(sample, on_cpu<TypeParam>());
  const auto got = run_forward(sample, on_host<TypeParam>(2, 2));
  EXPECT_TRUE(want.status.diverged);
  EXPECT_TRUE(got.status.diverged);
  EXPECT_GE(got.status.row, 0);
}

TEST(CudaLayout, FitsTheCardAndTheBatch) {
  for (const int64_t width : {4, 16, 128, 700}) {
    for (const int64_t batch : {1, 7, 512, 100'000}) {
      SCOPED_TRACE(::testing::Message() << "width " << width << ", batch " << batch);
      SampleProgram<float> sample(2, 1);
      sample.add_block({width, width}, Activation::kCPila, /*dense=*/true);
      const cuda::FlatProgram program = cuda::flatten(sample.program);
      const Layout layout = cuda::choose_layout(program, batch, sizeof(float));
      EXPECT_LE(cuda::shared_bytes(program.shape, layout, sizeof(float)), 96 << 10);
      EXPECT_EQ(program.packed_size,
                cuda::packed_weights(std::get<TileBlock>(sample.program.steps[0]).net));
      EXPECT_LE(layout.threads(), cuda::kMostThreads);
      EXPECT_EQ(32 % layout.lanes, 0);
      EXPECT_EQ(layout.stride % 2, 1);
      EXPECT_GE(layout.stride, layout.samples);
      EXPECT_GE(layout.blocks, 1);
      EXPECT_LE((layout.blocks - 1) * layout.samples, batch);
    }
  }
}

}  // namespace
}  // namespace contraflow::kernels
