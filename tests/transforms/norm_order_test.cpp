#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/vector_norm.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/tensors.h"

// Blocks whose network is bounded in another norm than the Euclidean: what is certified must hold
// all the same.
namespace contraflow {
namespace {

using testing::error_of;
using testing::near;

constexpr int64_t kOrderedDim = 8;

ContractiveBlockOptions ordered_options(FormKind form, NormOrder order) {
  ContractiveBlockOptions o{.event = kOrderedDim, .form = form};
  o.net = {.kind = NetKind::kSequential,
           .hidden = {12},
           .activation = Activation::kLipSwish,
           .lipschitz = 0.9,
           .norm_order = order,
           .euclidean = 0.0,
           .init_gain = 5.0};
  return o;
}

std::shared_ptr<ContractiveBlock> ordered_block(const ContractiveBlockOptions& options) {
  auto block = std::make_shared<ContractiveBlock>(options);
  block->to(at::kDouble);
  return block;
}

const at::Tensor kPoints = Rng(1).normal({64, kOrderedDim}, at::kDouble);

class OrderedBlock : public ::testing::TestWithParam<std::tuple<FormKind, NormOrder>> {};

TEST_P(OrderedBlock, SolvesAreWithinTheirEuclideanBound) {
  const auto [form, order] = GetParam();
  for (const double tolerance : {1e-2, 1e-5, 1e-9}) {
    ContractiveBlockOptions options = ordered_options(form, order);
    options.tolerance = tolerance;
    for (const SolverMethod method : {SolverMethod::kBanach, SolverMethod::kAnderson}) {
      options.solver.method = method;
      const auto block = ordered_block(options);
      const TransformOutput out = block->forward(kPoints);
      const TransformOutput back = block->inverse(out.value);
      const at::Tensor bound =
          back.solve_error_bound.defined() ? back.solve_error_bound : at::zeros({64}, at::kDouble);
      EXPECT_TRUE(bound.le(tolerance * (1 + 1e-9)).all().item<bool>());
      if (out.solve_error_bound.defined()) continue;  // y itself has an error then
      EXPECT_TRUE(
          (back.value - kPoints).norm(2, at::IntArrayRef{1}).le(bound + 1e-13).all().item<bool>());
    }
  }
}

TEST_P(OrderedBlock, EuclideanLipschitzConstantsAreBounds) {
  const auto [form, order] = GetParam();
  const auto block = ordered_block(ordered_options(form, order));
  const at::Tensor near_by = kPoints + 1e-3 * Rng(2).normal({64, kOrderedDim}, at::kDouble);
  const at::Tensor gap = (near_by - kPoints).norm(2, at::IntArrayRef{1});
  const auto slope = [&](const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).norm(2, at::IntArrayRef{1}) / gap).max().item<double>();
  };
  EXPECT_LE(slope(block->forward(near_by).value, block->forward(kPoints).value),
            *block->forward_lipschitz() + 1e-2);
  EXPECT_LE(slope(block->inverse(near_by).value, block->inverse(kPoints).value),
            *block->inverse_lipschitz() + 1e-2);
}

TEST_P(OrderedBlock, SeriesAreWithinTheirBound) {
  const auto [form, order] = GetParam();
  ContractiveBlockOptions options = ordered_options(form, order);
  const at::Tensor truth = ordered_block(options)->forward(kPoints).log_det;
  for (const int64_t terms : {1, 2, 4, 8}) {
    // Eight Rademacher probes are a whole group: only the bias is left.
    options.eval_log_det = TruncatedSeries{.terms = terms, .probes = kOrderedDim};
    const TransformOutput out = ordered_block(options)->forward(kPoints);
    EXPECT_TRUE((out.log_det - truth).abs().le(out.log_det_bias_bound + 1e-6).all().item<bool>());
  }
  options.eval_log_det = AdaptiveSeries{.tolerance = 1e-7, .probes = kOrderedDim};
  const TransformOutput out = ordered_block(options)->forward(kPoints);
  EXPECT_TRUE(out.log_det_bias_bound.le(1e-7).all().item<bool>());
  EXPECT_TRUE(near(out.log_det, truth, 1e-5));  // the solve's own error of 1e-6 is in both
}

INSTANTIATE_TEST_SUITE_P(Orders, OrderedBlock,
                         ::testing::Combine(::testing::Values(FormKind::kResidual,
                                                              FormKind::kInverseResidual,
                                                              FormKind::kMonotone),
                                            ::testing::Values(NormOrder::kOne, NormOrder::kInfinity,
                                                              NormOrder::kLearned)),
                         [](const auto& test) {
                           return std::string(enum_name(std::get<0>(test.param))) + "_" +
                                  enum_name(std::get<1>(test.param));
                         });

// x -> 0.9 x_1 + c in every entry, c = (1, 0, ..., 0): a contraction in the largest entry. The
// first residual is c, the second 0.9 (1, ..., 1), which is 2.5 times as long.
TEST(OrderedSolve, PlainStepsMayRaiseTheEuclideanResidual) {
  at::Tensor w = at::zeros({kOrderedDim, kOrderedDim}, at::kDouble);
  w.select(1, 0).fill_(0.9);
  at::Tensor offset = at::zeros({1, kOrderedDim}, at::kDouble);
  offset[0][0] = 1.0;
  const auto map = [&](const at::Tensor& x, const at::Tensor& rows) {
    return x.mm(w.t()) + (rows.defined() ? offset.index_select(0, rows) : offset);
  };
  at::Tensor solution = at::full({1, kOrderedDim}, 9.0, at::kDouble);
  solution[0][0] = 10.0;
  for (const SolverMethod method : {SolverMethod::kBanach, SolverMethod::kAnderson}) {
    const Solution s = solve_fixed_point(map, at::zeros_like(offset), {0.9, kInfinityOrder}, 1e-8,
                                         {.method = method});
    EXPECT_EQ(s.report.status, SolveStatus::kConverged);
    EXPECT_LE((s.value - solution).norm().item<double>(), s.report.error_bound.item<double>());
    EXPECT_LE(s.report.error_bound.item<double>(), 1e-8 * (1 + 1e-6));
  }
}

TEST(OrderedBlock, KrylovNeedsTheEuclideanNorm) {
  ContractiveBlockOptions options = ordered_options(FormKind::kResidual, NormOrder::kInfinity);
  options.eval_log_det = KrylovQuadrature{};
  const auto block = ordered_block(options);
  EXPECT_NE(error_of<ConfigError>([&] { block->forward(kPoints); }).find("norm_order 'two'"),
            std::string::npos);
}

TEST(OrderedBlock, LearnedOrdersMoveAndStayInTheirRange) {
  const auto block = ordered_block(ordered_options(FormKind::kResidual, NormOrder::kLearned));
  at::Tensor raw;
  for (const auto& item : block->named_parameters()) {
    if (item.key().find("raw_orders") != std::string::npos) raw = item.value();
  }
  ASSERT_TRUE(raw.defined());
  EXPECT_EQ(raw.numel(), 2);
  Context context;
  context.phase = Phase::kEvaluate;
  block->prepare({}, context);
  block->forward(kPoints.detach()).log_det.sum().backward();
  EXPECT_GT(raw.grad().abs().min().item<double>(), 0.0);
  const at::NoGradGuard guard;
  raw.fill_(50.0);
  block->prepare({}, context);
  EXPECT_NEAR(block->net()->norm_order(), 2.5, 1e-9);
}

}  // namespace
}  // namespace contraflow
