// Whole flows on a card against the same flows on the CPU: compiled with CONTRAFLOW_CUDA, skipped
// where no device is present.
#include <c10/cuda/CUDAFunctions.h>

#include "contraflow/data/sources.h"
#include "contraflow/kernels/isa.h"
#include "contraflow/models/presets.h"
#include "contraflow/training/state.h"
#include "contraflow/training/trainer.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using kernels::ScopedIsa;
using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

#define CF_SKIP_WITHOUT_DEVICE() \
  if (c10::cuda::device_count() == 0) GTEST_SKIP() << "no card to run on"

struct OnBoth {
  FlowPtr cpu, card;
};

// One flow twice, with norms and coefficients far from their start.
OnBoth on_both(const std::string& preset, at::ScalarType dtype, int64_t dim) {
  ContractiveOptions options = models::contractive_preset(preset);
  options.blocks = 4;
  options.net.depth = 2;
  options.net.growth = 8;
  options.net.hidden = {8, 8};
  options.net.init_gain = 3.0;
  options.tolerance = options.train_tolerance = options.backward_tolerance =
      dtype == at::kDouble ? 1e-12 : 1e-6;
  const auto build = [&] {
    FlowPtr flow = build_flow(contractive_spec(options, {.event = dim}));
    flow->to(dtype);
    return flow;
  };
  OnBoth flows{build(), build()};
  flows.cpu->prepare(0.5 + 2 * Rng(1).normal({200, dim}, dtype));
  copy_state(state_of(*flows.card), state_of(*flows.cpu), {"test", "the flow on the CPU"});
  flows.card->to(at::kCUDA);
  return flows;
}

// Beyond 16 features training estimates its log-determinants by roulette.
class CudaFlow : public ::testing::TestWithParam<std::tuple<std::string, at::ScalarType, int64_t>> {
 protected:
  void SetUp() override {
    CF_SKIP_WITHOUT_DEVICE();
    flows_ = on_both(std::get<0>(GetParam()), dtype(), dim());
    x_ = 0.5 + 2 * Rng(5).normal({1003, dim()}, dtype());
  }
  static at::ScalarType dtype() { return std::get<1>(GetParam()); }
  static int64_t dim() { return std::get<2>(GetParam()); }
  static double tolerance() { return dtype() == at::kDouble ? 1e-10 : 5e-4; }
  at::Tensor x_on_card() const { return x_.to(at::kCUDA); }

  OnBoth flows_;
  at::Tensor x_;
};

TEST_P(CudaFlow, LogProbIsThatOfTheCpu) {
  const Context context{.condition = {}, .rng = Rng(7)};
  const at::NoGradGuard no_grad;
  const at::Tensor want = flows_.cpu->log_prob(x_, context);
  const at::Tensor kernels = flows_.card->log_prob(x_on_card(), context);
  EXPECT_TRUE(kernels.is_cuda());
  EXPECT_TRUE(near(kernels.cpu(), want, tolerance()));
  const ScopedIsa off("composed");
  EXPECT_TRUE(near(flows_.card->log_prob(x_on_card(), context).cpu(), want, tolerance()));
}

TEST_P(CudaFlow, InverseUndoesForward) {
  const at::NoGradGuard no_grad;
  const TransformOutput forward = flows_.card->transform()->forward(x_on_card());
  const TransformOutput back = flows_.card->transform()->inverse(forward.value);
  EXPECT_TRUE(near(back.value.cpu(), x_, dtype() == at::kDouble ? 1e-9 : 1e-3));
}

TEST_P(CudaFlow, SamplesAreThoseOfTheCpu) {
  const at::Tensor want = flows_.cpu->sample(257, {.rng = Rng(3)});
  const at::Tensor got = flows_.card->sample(257, {.rng = Rng(3)});
  EXPECT_TRUE(got.is_cuda());
  EXPECT_TRUE(near(got.cpu(), want, dtype() == at::kDouble ? 1e-9 : 1e-3));
}

TEST_P(CudaFlow, GradientsAreThoseOfTheCpu) {
  const Context context{.condition = {}, .rng = Rng(7), .phase = Phase::kTrain};
  flows_.cpu->log_prob(x_, context).mean().backward();
  flows_.card->log_prob(x_on_card(), context).mean().backward();
  const auto want = flows_.cpu->named_parameters(), got = flows_.card->named_parameters();
  ASSERT_GT(want.size(), 0);
  for (const auto& item : want) {
    SCOPED_TRACE(item.key());
    const at::Tensor& grad = got[item.key()].grad();
    ASSERT_EQ(grad.defined(), item.value().grad().defined());
    if (!grad.defined()) continue;
    EXPECT_TRUE(grad.is_cuda());
    EXPECT_TRUE(near(grad.cpu(), item.value().grad(), tolerance()));
  }
}

std::string case_name(const ::testing::TestParamInfo<CudaFlow::ParamType>& info) {
  std::string name = std::get<0>(info.param) + "_" + c10::toString(std::get<1>(info.param)) + "_" +
                     std::to_string(std::get<2>(info.param));
  std::erase_if(name, [](char c) { return !std::isalnum(c) && c != '_'; });
  return name;
}
INSTANTIATE_TEST_SUITE_P(
    Presets, CudaFlow,
    ::testing::Combine(::testing::ValuesIn(models::preset_names("contractive")),
                       ::testing::Values(at::kFloat, at::kDouble), ::testing::Values(2, 20)),
    case_name);

// More rows than the program kernels take of nets this wide.
TEST(CudaFlows, WideNetsOfManyRowsAgreeToo) {
  CF_SKIP_WITHOUT_DEVICE();
  ContractiveOptions options = models::contractive_preset("residual");
  options.blocks = 2;
  const FlowPtr cpu = build_flow(contractive_spec(options, {.event = 2})),
                card = build_flow(contractive_spec(options, {.event = 2}));
  card->to(at::kCUDA);
  const at::NoGradGuard no_grad;
  const at::Tensor x = Rng(5).normal({5000, 2}, at::kFloat);
  EXPECT_TRUE(near(card->log_prob(x.to(at::kCUDA)).cpu(), cpu->log_prob(x), 5e-4));
}

TEST(CudaTraining, TakesTheStepsOfTheCpu) {
  CF_SKIP_WITHOUT_DEVICE();
  const OnBoth flows = on_both("idensenet", at::kDouble, 2);
  data::Splits splits;
  splits.train = std::make_shared<data::ToySource>("8gaussians", Rng(1), at::kDouble);
  const TrainingOptions options{
      .steps = 5, .batch_size = 100, .dtype = FloatType::kFloat64, .validate_every = 0};
  fit(*flows.cpu, splits, options);
  fit(*flows.card, splits, options);
  const auto want = flows.cpu->named_parameters(), got = flows.card->named_parameters();
  for (const auto& item : want) {
    SCOPED_TRACE(item.key());
    EXPECT_TRUE(near(got[item.key()].cpu(), item.value(), 1e-6));
  }
}

TEST(CudaErrors, DataOnTheOtherDeviceSaysWhatToDo) {
  CF_SKIP_WITHOUT_DEVICE();
  const OnBoth flows = on_both("residual", at::kFloat, 2);
  EXPECT_THAT(error_of<DtypeError>([&] {
                flows.card->log_prob(at::zeros({3, 2}));
              }),
              HasSubstr("Move the data or the model with .to(dtype) or .to(device)."));
}

// A table's flow on both: every kind of column, masses and curves in front of the blocks. Curves that
// train run composed on a card, and by their own backward pass on the CPU.
OnBoth table_on_both(const at::Tensor& rows) {
  EventInfo info{.event = 5, .marginal_knots = {16, 0, 8, 0, 16}};
  info.columns = {{.center = 1.7e9, .scale = 60.0},
                  {.kind = ColumnKind::kPositive, .center = 1.0},
                  {.kind = ColumnKind::kBounded, .lower = 0.0, .upper = 1.0, .edge = 1e-6},
                  {.kind = ColumnKind::kInteger, .lower = 0.0, .levels = 4},
                  {.kind = ColumnKind::kInteger, .scale = 30.0}};
  ContractiveOptions options = models::contractive_preset("monotone");
  options.blocks = 2;
  options.net.growth = 8;
  OnBoth flows{build_flow(contractive_spec(options, info)),
               build_flow(contractive_spec(options, info))};
  flows.cpu->prepare(rows);
  copy_state(state_of(*flows.card), state_of(*flows.cpu), {"test", "the flow on the CPU"});
  flows.card->to(at::kCUDA);
  return flows;
}

at::Tensor table_rows() {
  const at::Tensor z = Rng(3).normal({2000, 5}, at::kDouble);
  const at::Tensor u = Rng(4).uniform({2000, 2}, at::kDouble);
  return at::stack({1.7e9 + 60.0 * z.select(1, 0), z.select(1, 1).exp(), u.select(1, 0),
                    (4.0 * u.select(1, 1)).floor(), (30.0 * z.select(1, 4)).round()},
                   1);
}

TEST(CudaTable, DensitiesSamplesAndGradientsAreThoseOfTheCpu) {
  CF_SKIP_WITHOUT_DEVICE();
  constexpr double kFloat32 = 5e-4;
  const at::Tensor rows = table_rows();
  const OnBoth flows = table_on_both(rows);
  const Context context{.condition = {}, .rng = Rng(7)};
  const at::Tensor weight = at::full({rows.size(0)}, -1.0 / 2000.0, at::kFloat);
  const at::Tensor want = flows.cpu->add_log_prob_gradient(rows, weight, context);
  const at::Tensor got =
      flows.card->add_log_prob_gradient(rows.to(at::kCUDA), weight.to(at::kCUDA), context);
  EXPECT_TRUE(near(got.cpu(), want, kFloat32));
  const auto on_cpu = flows.cpu->parameters(), on_card = flows.card->parameters();
  for (size_t k = 0; k < on_cpu.size(); ++k) {
    if (!on_cpu[k].grad().defined()) continue;
    EXPECT_TRUE(near(on_card[k].grad().cpu(), on_cpu[k].grad(), kFloat32)) << k;
  }
  const at::Tensor drawn = flows.card->sample(500, {.rng = Rng(1)}).cpu();
  EXPECT_EQ(drawn.scalar_type(), at::kDouble);
  EXPECT_TRUE(
      drawn.select(1, 2).gt(0.0).logical_and(drawn.select(1, 2).lt(1.0)).all().item<bool>());
  EXPECT_TRUE(drawn.select(1, 3).eq(drawn.select(1, 3).round()).all().item<bool>());
}

}  // namespace
}  // namespace contraflow
