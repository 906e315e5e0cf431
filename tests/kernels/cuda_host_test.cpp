// The mathematics of the device kernels, compiled for the host: against the composed activations,
// and against the tile kernels of the CPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "contraflow/core/error.h"
#include "contraflow/kernels/cuda/dispatch.h"
#include "tests/kernels/host_crew.h"
#include "tests/kernels/tile_samples.h"

namespace contraflow::kernels {
namespace {

using cuda::Layout;

constexpr double kTolerance = 1e-10;  // float64; solves run to 1e-13
constexpr int64_t kBatch = 11;

constexpr std::array kElementwise{Activation::kElu,  Activation::kTanh,  Activation::kSoftplus,
                                  Activation::kSin,  Activation::kSwish, Activation::kLipSwish,
                                  Activation::kPila, Activation::kCRelu, Activation::kClipSwish,
                                  Activation::kCPila};

// The device's jets of z [rows, features], through a batch whose rows stand apart.
template <class T>
ActivationJet device_jets(Activation kind, const at::Tensor& z, double beta) {
  const int64_t width = expansion(kind) * z.size(1);
  ActivationJet out;
  for (at::Tensor* t : {&out.value, &out.slope, &out.curvature})
    *t = at::full({z.size(0), width + 3}, -7.0, z.options());
  const at::Tensor apart = at::cat({z, at::zeros({z.size(0), 2}, z.options())}, 1).contiguous();
  cuda::JetCall<T> call;
  call.kind = cuda::kind_of(kind);
  call.beta = beta;
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
  const ActivationJet got = device_jets<T>(kind, z, beta);
  const ActivationJet want = activation_jet(kind, z, at::scalar_tensor(beta, options), 2);
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

using Runner = std::function<void(TileCall<double>&)>;

Runner on_cpu() {
  return [](TileCall<double>& call) { run_tiles(call); };
}
Runner on_host(int32_t samples, int32_t lanes, bool shared_weights = true) {
  return [=](TileCall<double>& call) {
    Layout layout;
    layout.samples = samples;
    layout.lanes = lanes;
    layout.stride = samples | 1;
    layout.blocks = 2;
    layout.shared_weights = shared_weights;
    call.status = cuda::run_on_host(call, layout);
  };
}

SampleOutputs run_both_halves(const SampleProgram& sample, const Runner& run) {
  const SampleInputs in(sample);
  SampleOutputs out(sample);
  TileCall<double> call;
  call.program = &sample.program;
  call.batch = sample.batch();
  call.x = in.x.data();
  call.y = out.y.data();
  call.log_det = out.log_det.data();
  call.solve_error = out.solve_error.data();
  call.bias_bound = out.bias_bound.data();
  call.points = out.points.data();
  call.probe_sums = out.probe_sums.data();
  run(call);
  out.status = call.status;
  if (call.status.row >= 0) return out;
  TileCall<double> back;
  back.program = &sample.program;
  back.mode = TileMode::kBackward;
  back.batch = sample.batch();
  back.points = out.points.data();
  back.probe_sums = out.probe_sums.data();
  back.y_bar = in.y_bar.data();
  back.log_det_bar = in.log_det_bar.data();
  back.x_bar = out.x_bar.data();
  back.gradient = out.gradient.data();
  run(back);
  out.status = back.status;
  return out;
}

SampleOutputs run_loss(const SampleProgram& sample, const Runner& run) {
  const SampleInputs in(sample);
  SampleOutputs out(sample);
  TileCall<double> call;
  call.program = &sample.program;
  call.mode = TileMode::kLoss;
  call.batch = sample.batch();
  call.x = in.x.data();
  call.y = out.y.data();
  call.log_det = out.log_det.data();
  call.points = out.points.data();
  call.probe_sums = out.probe_sums.data();
  call.log_det_bar = in.log_det_bar.data();
  call.x_bar = out.x_bar.data();
  call.gradient = out.gradient.data();
  run(call);
  out.status = call.status;
  return out;
}

void expect_near(const char* name, const std::vector<double>& got, const std::vector<double>& want,
                 double tolerance = kTolerance) {
  ASSERT_EQ(got.size(), want.size());
  double size = 1.0;
  for (const double v : want) size = std::max(size, std::abs(v));
  for (size_t k = 0; k < got.size(); ++k)
    ASSERT_NEAR(got[k], want[k], tolerance * size) << name << " " << k;
}

void expect_same(const SampleOutputs& got, const SampleOutputs& want) {
  expect_near("y", got.y, want.y);
  expect_near("log_det", got.log_det, want.log_det);
  expect_near("bias_bound", got.bias_bound, want.bias_bound);
  expect_near("points", got.points, want.points);
  expect_near("probe_sums", got.probe_sums, want.probe_sums);
  expect_near("x_bar", got.x_bar, want.x_bar);
  expect_near("gradient", got.gradient, want.gradient);
  EXPECT_EQ(got.status.row, want.status.row);
}

// Against the CPU's kernels: one thread for everything, samples beside each other, lanes that share
// a sample, and both; weights where they are.
void expect_like_cpu(const SampleProgram& sample) {
  const SampleOutputs want = run_both_halves(sample, on_cpu());
  ASSERT_LT(want.status.row, 0);
  for (const Runner& run :
       {on_host(1, 1), on_host(3, 1), on_host(1, 3), on_host(2, 2), on_host(3, 1, false)}) {
    const SampleOutputs got = run_both_halves(sample, run);
    expect_same(got, want);
    // Bounds of solves that stop at other roundings: of one size.
    for (size_t k = 0; k < got.solve_error.size(); ++k)
      EXPECT_LE(std::abs(got.solve_error[k] - want.solve_error[k]), 1e-9);
  }
}

TEST(CudaProgram, Affine) {
  SampleProgram sample(3, kBatch);
  sample.add_affine();
  sample.add_affine();
  expect_like_cpu(sample);
}

TEST(CudaProgram, ResidualWithEveryActivation) {
  for (const Activation kind : kElementwise) {
    SCOPED_TRACE(static_cast<int>(kind));
    SampleProgram sample(2, kBatch);
    sample.add_block({5, 7}, kind, /*dense=*/false);
    expect_like_cpu(sample);
  }
}

TEST(CudaProgram, DenseNetOfSeveralBlocksAndAffineSteps) {
  SampleProgram sample(2, kBatch);
  sample.add_affine();
  sample.add_block({6, 6, 6}, Activation::kClipSwish, /*dense=*/true);
  sample.add_affine();
  sample.add_block({9}, Activation::kCPila, /*dense=*/true);
  expect_like_cpu(sample);
}

TEST(CudaProgram, SolvesOfMonotoneAndInverseResidual) {
  SampleProgram sample(3, kBatch);
  SampleProgram::make_monotone(sample.add_block({6, 5}, Activation::kCPila, /*dense=*/true));
  SampleProgram::make_inverse_residual(sample.add_block({8}, Activation::kLipSwish, false));
  sample.add_affine();
  expect_like_cpu(sample);
}

TEST(CudaProgram, ExactInEightDimensions) {
  SampleProgram sample(8, kBatch);
  SampleProgram::make_monotone(sample.add_block({10}, Activation::kElu, /*dense=*/false));
  expect_like_cpu(sample);
}

TEST(CudaProgram, SeriesWithCountsAndTruncated) {
  for (const bool counts : {true, false}) {
    SCOPED_TRACE(counts);
    SampleProgram sample(3, kBatch);
    sample.make_series(sample.add_block({5, 6}, Activation::kLipSwish, true), 2, counts);
    sample.add_affine();
    TileBlock& second = sample.add_block({7}, Activation::kCPila, /*dense=*/true);
    SampleProgram::make_monotone(second);
    sample.make_series(second, 1, counts);
    expect_like_cpu(sample);
  }
}

TEST(CudaProgram, LossInOneVisit) {
  SampleProgram sample(2, kBatch);
  SampleProgram::make_monotone(sample.add_block({6}, Activation::kCPila, /*dense=*/true));
  sample.make_series(sample.add_block({5}, Activation::kClipSwish, true), 2, true);
  sample.add_affine();
  const SampleOutputs want = run_loss(sample, on_cpu());
  SampleOutputs got = run_loss(sample, on_host(2, 2));
  got.probe_sums = want.probe_sums;  // left to each: the CPU keeps its own in the tile's tape
  expect_same(got, want);
}

TEST(CudaProgram, ValuesAloneNeedNoLogDet) {
  SampleProgram sample(2, kBatch);
  sample.add_block({6}, Activation::kTanh, /*dense=*/false);
  SampleProgram::make_monotone(sample.add_block({6}, Activation::kTanh, /*dense=*/false));
  const SampleInputs in(sample);
  std::vector<std::vector<double>> values;
  for (const Runner& run : {on_cpu(), on_host(2, 2)}) {
    values.emplace_back(in.x.size());
    TileCall<double> call;
    call.program = &sample.program;
    call.batch = kBatch;
    call.x = in.x.data();
    call.y = values.back().data();
    run(call);
  }
  expect_near("y", values[1], values[0]);
}

TEST(CudaProgram, GradientsAreAddedToWhatIsThere) {
  SampleProgram sample(2, kBatch);
  sample.add_block({4}, Activation::kTanh, /*dense=*/false);
  SampleOutputs out = run_both_halves(sample, on_host(2, 1));
  const SampleInputs in(sample);
  const std::vector<double> once = out.gradient;
  TileCall<double> back;
  back.program = &sample.program;
  back.mode = TileMode::kBackward;
  back.batch = kBatch;
  back.points = out.points.data();
  back.y_bar = in.y_bar.data();
  back.log_det_bar = in.log_det_bar.data();
  back.x_bar = out.x_bar.data();
  back.gradient = out.gradient.data();
  on_host(2, 1)(back);
  for (size_t k = 0; k < once.size(); ++k) EXPECT_DOUBLE_EQ(out.gradient[k], 2 * once[k]);
}

TEST(CudaProgram, NumbersDoNotDependOnLanes) {
  SampleProgram sample(3, kBatch);
  SampleProgram::make_monotone(sample.add_block({6, 5}, Activation::kCPila, /*dense=*/true));
  const SampleOutputs one = run_both_halves(sample, on_host(2, 1));
  const SampleOutputs four = run_both_halves(sample, on_host(2, 4));
  EXPECT_EQ(one.y, four.y);
  EXPECT_EQ(one.log_det, four.log_det);
  EXPECT_EQ(one.gradient, four.gradient);
}

TEST(CudaProgram, FailedSolvesNameTheirRow) {
  SampleProgram sample(2, kBatch);
  TileBlock& block = sample.add_block({6}, Activation::kTanh, /*dense=*/false);
  SampleProgram::make_monotone(block);
  block.max_iterations = 2;
  const SampleOutputs want = run_both_halves(sample, on_cpu());
  const SampleOutputs got = run_both_halves(sample, on_host(2, 2));
  EXPECT_EQ(want.status.row, 0);
  EXPECT_EQ(got.status.row, 0);
  EXPECT_EQ(got.status.iterations, 2);
  EXPECT_FALSE(got.status.diverged);
  EXPECT_GT(got.status.bound, 0);
}

TEST(CudaLayout, FitsTheCardAndTheBatch) {
  for (const int64_t width : {4, 16, 128, 700}) {
    for (const int64_t batch : {1, 7, 512, 100'000}) {
      SCOPED_TRACE(testing::Message() << "width " << width << ", batch " << batch);
      SampleProgram sample(2, 1);
      sample.add_block({width, width}, Activation::kCPila, /*dense=*/true);
      const cuda::FlatProgram program = cuda::flatten(sample.program);
      const Layout layout = cuda::choose_layout(program, batch, sizeof(float), true);
      EXPECT_LE(cuda::shared_bytes(program.shape, layout, sizeof(float)), 96 << 10);
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
