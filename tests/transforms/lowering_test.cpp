// The tile kernels against the composed definition: every form, activation and estimator, every
// instruction set of the machine, every length of the last tile.
#include "contraflow/transforms/lowering.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include "contraflow/kernels/isa.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/column_map.h"
#include "contraflow/transforms/contractive_block.h"
#include "contraflow/transforms/inverse.h"
#include "contraflow/transforms/lowering_cuda.h"
#include "contraflow/transforms/marginal_spline.h"
#include "contraflow/transforms/scale.h"
#include "contraflow/transforms/standardize.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using kernels::ScopedIsa;
using testing::near;

// Both sides solve to 1e-13; what is left is the order of sums.
constexpr double kFloat64 = 1e-10;
// float32: 24 bits through a few hundred sums of terms of size 1, and solves at 1e-6.
constexpr double kFloat32 = 2e-4;

struct Sample {
  std::string name;
  ContractiveBlockOptions block;
};

void PrintTo(const Sample& sample, std::ostream* out) { *out << sample.name; }

ContractiveBlockOptions block(FormKind form, Activation activation, int64_t dim) {
  ContractiveBlockOptions o{.event = dim, .form = form};
  o.net.activation = activation;
  o.net.growth = 6;
  o.net.lipschitz = 0.8;
  o.net.init_gain = 2.0;  // norm caps bind: their gradients are part of the test
  o.net.norm_tolerance = 1e-9;
  o.train_log_det = o.eval_log_det = ExactLogDet{};
  o.train_tolerance = o.tolerance = o.backward_tolerance = 1e-13;
  return o;
}

ContractiveBlockOptions sequential(FormKind form, Activation activation, int64_t dim,
                                   std::vector<int64_t> hidden, bool activate_input) {
  ContractiveBlockOptions o = block(form, activation, dim);
  o.net.kind = NetKind::kSequential;
  o.net.hidden = std::move(hidden);
  o.net.activate_input = activate_input;
  return o;
}

ContractiveBlockOptions with(ContractiveBlockOptions o, const LogDetOptions& log_det) {
  o.train_log_det = o.eval_log_det = log_det;
  return o;
}

std::vector<Sample> samples() {
  using F = FormKind;
  using A = Activation;
  std::vector<Sample> out;
  for (const auto& [name, kind] : enum_names(Activation{})) {
    if (is_sorting(kind)) continue;
    out.push_back({std::string("dense_") + name, block(F::kResidual, kind, 2)});
  }
  ContractiveBlockOptions custom = block(F::kCustom, A::kTanh, 3);
  custom.matrix = {1.0, -0.6, 0.9, 0.7};
  out.push_back({"custom", custom});
  out.push_back({"inverse_residual", block(F::kInverseResidual, A::kClipSwish, 2)});
  out.push_back({"monotone", block(F::kMonotone, A::kCPila, 2)});
  out.push_back({"monotone_1d", block(F::kMonotone, A::kSin, 1)});
  out.push_back({"monotone_5d", block(F::kMonotone, A::kLipSwish, 5)});
  out.push_back({"wide", sequential(F::kResidual, A::kLipSwish, 2, {40, 33}, true)});
  out.push_back({"narrow", sequential(F::kMonotone, A::kPila, 3, {5}, false)});
  out.push_back({"concatenating", sequential(F::kResidual, A::kCRelu, 2, {7, 3}, true)});
  out.push_back({"linear", sequential(F::kMonotone, A::kElu, 2, {}, false)});
  const TruncatedSeries truncated{.terms = 5, .probes = 2, .probe = ProbeKind::kGaussian};
  out.push_back({"truncated", with(block(F::kInverseResidual, A::kSoftplus, 3), truncated)});
  out.push_back({"colored", with(block(F::kMonotone, A::kTanh, 3),
                                 TruncatedSeries{.terms = 4, .probes = 2, .colors = {0, 1, 0}})});
  out.push_back({"roulette", with(sequential(F::kResidual, A::kLipSwish, 9, {20, 20}, true),
                                  RussianRoulette{})});
  out.push_back({"roulette_monotone",
                 with(block(F::kMonotone, A::kClipSwish, 4),
                      RussianRoulette{.exact_terms = 1, .geometric_p = 0.4, .probes = 2})});
  for (const auto& [name, o] :
       std::initializer_list<std::pair<const char*, ContractiveBlockOptions>>{
           {"dense", block(F::kResidual, A::kClipSwish, 2)},
           {"wide", sequential(F::kMonotone, A::kLipSwish, 3, {40, 33}, true)},
           {"concatenating", sequential(F::kInverseResidual, A::kCRelu, 2, {7, 3}, false)},
           {"linear", sequential(F::kMonotone, A::kElu, 2, {}, false)},
           {"truncated", with(block(F::kInverseResidual, A::kSoftplus, 3), truncated)},
           {"roulette",
            with(block(F::kMonotone, A::kCPila, 9),
                 RussianRoulette{.exact_terms = 1, .geometric_p = 0.4, .probes = 2})}}) {
    out.push_back({std::string("conditional_") + name, o});
    out.back().block.condition = 1 + static_cast<int64_t>(out.size()) % 6;
  }
  out.push_back({"banach", [] {
                   ContractiveBlockOptions o = block(F::kMonotone, A::kTanh, 2);
                   o.solver.method = SolverMethod::kBanach;
                   return o;
                 }()});
  return out;
}

// Conditions [rows, width] of a transform, with gradients; undefined for an unconditional one.
at::Tensor conditions(const Transform& transform, int64_t rows, at::ScalarType dtype) {
  const std::vector<int64_t> shape = transform.condition_shape();
  if (shape.empty()) return {};
  return Rng(8).normal({rows, shape.front()}, at::kDouble).to(dtype).requires_grad_(true);
}

// Two blocks between affine maps, one of them inverted.
std::shared_ptr<Chain> flow_of(const ContractiveBlockOptions& options, at::ScalarType dtype) {
  ContractiveBlockOptions second = options;
  second.seed = 1;
  const auto actnorm = std::make_shared<ActNorm>(ActNormOptions{.event = options.event});
  const auto last = std::make_shared<ActNorm>(ActNormOptions{.event = options.event});
  const auto scale = std::make_shared<Scale>(ScaleOptions{.event = options.event});
  const auto back = std::make_shared<Scale>(ScaleOptions{.event = options.event});
  auto chain = std::make_shared<Chain>(std::vector<TransformPtr>{
      std::make_shared<Standardize>(StandardizeOptions{.event = options.event}), actnorm,
      std::make_shared<ContractiveBlock>(options), scale, std::make_shared<Inverse>(back),
      std::make_shared<Inverse>(std::make_shared<ContractiveBlock>(second)),
      std::make_shared<Inverse>(last)});
  chain->to(at::kDouble);
  const at::Tensor x = Rng(5).normal({64, options.event.size()}, at::kDouble) * 1.5 + 0.3;
  chain->prepare(x, {.condition = conditions(*chain, 64, at::kDouble)});
  const at::NoGradGuard guard;
  scale->parameters()[0].add_(0.3 * Rng(6).normal({options.event.size()}, at::kDouble));
  back->parameters()[0].add_(0.3 * Rng(7).normal({options.event.size()}, at::kDouble));
  chain->to(dtype);
  return chain;
}

struct Outcome {
  at::Tensor value, log_det, bias, input_gradient, condition_gradient;
  std::vector<at::Tensor> gradients;
};

Outcome run_chain(const Chain& chain, at::Tensor x, bool inverse = false) {
  x = x.clone().requires_grad_(true);
  Context context;
  context.condition = conditions(chain, x.size(0), x.scalar_type());
  context.rng = Rng(11);
  context.phase = Phase::kTrain;
  const TransformOutput out = inverse ? chain.inverse(x, context) : chain.forward(x, context);
  const at::Tensor row = at::arange(1, x.size(0) + 1, x.options()).div(3).sin();
  const at::Tensor column = at::arange(1, x.size(1) + 1, x.options()).cos();
  const at::Tensor loss =
      (out.value * column).sum(1).mul(row + 0.5).sum() + (out.log_det * row).sum();
  std::vector<at::Tensor> inputs = chain.parameters();
  if (context.condition.defined()) inputs.push_back(context.condition);
  inputs.push_back(x);
  std::vector<at::Tensor> g = torch::autograd::grad({loss}, inputs);
  Outcome result{
      out.value.detach(), out.log_det.detach(), out.log_det_bias_bound, g.back(), {}, {}};
  g.pop_back();
  if (context.condition.defined()) {
    result.condition_gradient = g.back();
    g.pop_back();
  }
  result.gradients = std::move(g);
  return result;
}

void expect_same(const Outcome& got, const Outcome& expected, double tolerance,
                 const std::string& where) {
  SCOPED_TRACE(where);
  EXPECT_TRUE(near(got.value, expected.value, tolerance));
  EXPECT_TRUE(near(got.log_det, expected.log_det, tolerance));
  EXPECT_TRUE(near(got.input_gradient, expected.input_gradient, tolerance));
  ASSERT_EQ(got.condition_gradient.defined(), expected.condition_gradient.defined());
  if (got.condition_gradient.defined()) {
    EXPECT_TRUE(near(got.condition_gradient, expected.condition_gradient, tolerance));
  }
  ASSERT_EQ(got.gradients.size(), expected.gradients.size());
  for (size_t k = 0; k < got.gradients.size(); ++k) {
    // Sums over rows: rounding grows with their size.
    const double scale = std::max(1.0, expected.gradients[k].abs().max().item<double>());
    EXPECT_TRUE(near(got.gradients[k] / scale, expected.gradients[k] / scale, tolerance))
        << "parameter " << k;
  }
  ASSERT_EQ(got.bias.defined(), expected.bias.defined());
  if (got.bias.defined()) {
    EXPECT_TRUE(near(got.bias, expected.bias, tolerance));
  }
}

class Lowering : public ::testing::TestWithParam<Sample> {};

at::Tensor inputs(int64_t rows, int64_t dim, at::ScalarType dtype) {
  return (Rng(9).normal({rows, dim}, at::kDouble) * 1.2).to(dtype);
}

TEST_P(Lowering, EveryInstructionSetEqualsTheComposedFormInFloat64) {
  const auto chain = flow_of(GetParam().block, at::kDouble);
  for (const int64_t rows : {1, 3, 8, 9, 37}) {
    const at::Tensor x = inputs(rows, GetParam().block.event.size(), at::kDouble);
    const Outcome expected = [&] {
      const ScopedIsa composed("composed");
      return run_chain(*chain, x);
    }();
    for (const std::string& isa : kernels::available_isas()) {
      const ScopedIsa pin(isa);
      expect_same(run_chain(*chain, x), expected, kFloat64, isa + ", rows " + std::to_string(rows));
    }
  }
}

TEST_P(Lowering, InverseEqualsTheComposedForm) {
  const auto chain = flow_of(GetParam().block, at::kDouble);
  const at::Tensor z = inputs(19, GetParam().block.event.size(), at::kDouble);
  const Outcome expected = [&] {
    const ScopedIsa composed("composed");
    return run_chain(*chain, z, /*inverse=*/true);
  }();
  expect_same(run_chain(*chain, z, /*inverse=*/true), expected, kFloat64, "inverse");
}

// Without a log-determinant the kernels carry no tangents where they can do without.
TEST_P(Lowering, GradientsOfTheValueAloneEqualTheComposedForm) {
  const auto chain = flow_of(GetParam().block, at::kDouble);
  std::vector<at::Tensor> of = chain->parameters();
  Context context;
  context.condition = conditions(*chain, 37, at::kDouble);
  if (context.condition.defined()) of.push_back(context.condition);
  of.push_back(inputs(37, GetParam().block.event.size(), at::kDouble).requires_grad_(true));
  context.phase = Phase::kTrain;
  context.hints.wants_log_det = false;
  for (const bool inverse : {false, true}) {
    const auto gradients = [&] {
      const TransformOutput out =
          inverse ? chain->inverse(of.back(), context) : chain->forward(of.back(), context);
      return torch::autograd::grad({out.value.pow(3).mean()}, of);
    };
    const std::vector<at::Tensor> kernel = gradients();
    const ScopedIsa composed("composed");
    const std::vector<at::Tensor> expected = gradients();
    for (size_t k = 0; k < of.size(); ++k) {
      const double scale = std::max(1.0, expected[k].abs().max().item<double>());
      EXPECT_TRUE(near(kernel[k] / scale, expected[k] / scale, kFloat64)) << k;
    }
  }
}

TEST_P(Lowering, Float32IsNearTheComposedFloat64) {
  ContractiveBlockOptions options = GetParam().block;
  options.train_tolerance = options.tolerance = options.backward_tolerance = 1e-6;
  const auto narrow = flow_of(options, at::kFloat);
  const auto wide = flow_of(options, at::kFloat);
  wide->to(at::kDouble);  // the same weights, rounded
  const at::Tensor x = inputs(131, options.event.size(), at::kFloat);
  const Outcome expected = [&] {
    const ScopedIsa composed("composed");
    return run_chain(*wide, x.to(at::kDouble));
  }();
  for (const std::string& isa : kernels::available_isas()) {
    const ScopedIsa pin(isa);
    expect_same(run_chain(*narrow, x), expected, kFloat32, isa);
  }
}

// The score of 1 / (pi cosh z) in each column: a density that no kernel knows.
class HyperbolicScore final : public kernels::RowScore {
 public:
  void score(const float* z, int64_t rows, int64_t columns, float* out) const override {
    for (int64_t k = 0; k < rows * columns; ++k) out[k] = -std::tanh(z[k]);
  }
  void score(const double* z, int64_t rows, int64_t columns, double* out) const override {
    for (int64_t k = 0; k < rows * columns; ++k) out[k] = -std::tanh(z[k]);
  }
};

void check_loss(const ContractiveBlockOptions& options, std::initializer_list<int64_t> batches) {
  for (const int64_t rows : batches) {
    const auto chain = flow_of(options, at::kDouble);
    const at::Tensor x = inputs(rows, options.event.size(), at::kDouble);
    const at::Tensor weight = at::arange(1, rows + 1, x.options()).sin();
    Context context;
    context.condition = conditions(*chain, rows, at::kDouble);
    context.rng = Rng(11);
    context.phase = Phase::kTrain;
    const TransformOutput out = chain->forward(x, context);
    const at::Tensor log_prob = out.log_det - at::log(at::cosh(out.value)).sum(1);
    const std::vector<at::Tensor> expected =
        torch::autograd::grad({(log_prob * weight).sum()}, chain->parameters());
    if (context.condition.defined()) {
      EXPECT_EQ(lower_tail(*chain, x, context), nullptr) << "the loss has no gradient of it";
      context.condition = context.condition.detach();
    }
    const auto tail = lower_tail(*chain, x, context);
    ASSERT_NE(tail, nullptr);
    const LatentOutput got = run_lowered_loss(*tail, weight, HyperbolicScore());
    EXPECT_TRUE(near(got.value, out.value.detach(), kFloat64));
    EXPECT_TRUE(near(got.log_det, out.log_det.detach(), kFloat64));
    const std::vector<at::Tensor> parameters = chain->parameters();
    for (size_t k = 0; k < expected.size(); ++k) {
      const double scale = std::max(1.0, expected[k].abs().max().item<double>());
      EXPECT_TRUE(near(parameters[k].grad() / scale, expected[k] / scale, kFloat64)) << k;
    }
  }
}

TEST_P(Lowering, LossInOneVisitEqualsForwardAndBackward) { check_loss(GetParam().block, {5, 200}); }

// Tapes beyond a cache are built again from the pre-activations.
TEST(WideLowering, LossInOneVisitEqualsForwardAndBackward) {
  check_loss(sequential(FormKind::kMonotone, Activation::kLipSwish, 2, {1200, 1100}, true), {40});
  check_loss(with(sequential(FormKind::kResidual, Activation::kLipSwish, 9, {900, 900}, true),
                  RussianRoulette{.probes = 2}),
             {40});
}

// The same weights in float64 are the truth for both.
TEST(WideLowering, ChainsInFloat32KeepWhatRoundingWouldDrop) {
  std::vector<TransformPtr> blocks;
  for (int64_t k = 0; k < 24; ++k) {
    ContractiveBlockOptions o =
        sequential(FormKind::kResidual, Activation::kLipSwish, 4, {32}, true);
    o.seed = static_cast<uint64_t>(k);
    o.tolerance = 1e-6;
    blocks.push_back(std::make_shared<ContractiveBlock>(o));
  }
  Chain chain(blocks);
  const at::Tensor x = inputs(500, 4, at::kFloat) + 5.0;
  const auto run = [&](const at::Tensor& rows) {
    return chain.forward(rows).value.to(at::kDouble);
  };
  const at::NoGradGuard guard;
  const at::Tensor kernel = run(x);
  const at::Tensor composed = [&] {
    const ScopedIsa pin("composed");
    return run(x);
  }();
  chain.to(at::kDouble);
  const at::Tensor truth = run(x.to(at::kDouble));
  const double error = (kernel - truth).norm().item<double>();
  // .75 with both numbers of a state, 1 with its rounding alone; the networks' own rounding stays.
  EXPECT_LT(error, 0.85 * (composed - truth).norm().item<double>());
}

// Norms of other orders scale the weights of residual blocks; nothing is solved there.
using Orders = std::pair<NormOrder, double>;  // and the bound on spectral norms beside
class OrderedLowering : public ::testing::TestWithParam<Orders> {};

TEST_P(OrderedLowering, EqualsTheComposedFormAndItsGradientsOfTheOrders) {
  ContractiveBlockOptions options =
      sequential(FormKind::kResidual, Activation::kLipSwish, 3, {7, 5}, true);
  options.net.norm_order = GetParam().first;
  options.net.euclidean = GetParam().second;
  options.net.init_gain = 4.0;
  std::vector<TransformPtr> blocks;
  for (; options.seed < 2; ++options.seed)
    blocks.push_back(std::make_shared<ContractiveBlock>(options));
  Chain chain(blocks);
  chain.to(at::kDouble);
  const at::Tensor x = inputs(37, 3, at::kDouble);
  ASSERT_NE(lower_tail(chain, x, {}), nullptr);
  const Outcome expected = [&] {
    const ScopedIsa composed("composed");
    return run_chain(chain, x);
  }();
  for (const std::string& isa : kernels::available_isas()) {
    const ScopedIsa pin(isa);
    expect_same(run_chain(chain, x), expected, kFloat64, isa);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , OrderedLowering,
    ::testing::Values(Orders{NormOrder::kOne, 0.0}, Orders{NormOrder::kInfinity, 0.0},
                      Orders{NormOrder::kLearned, 0.0}, Orders{NormOrder::kLearnedShared, 0.0},
                      Orders{NormOrder::kLearned, 0.99}, Orders{NormOrder::kLearned, 0.5}));

TEST_P(Lowering, ThreadsDoNotChangeABit) {
  const auto chain = flow_of(GetParam().block, at::kFloat);
  const at::Tensor x = inputs(700, GetParam().block.event.size(), at::kFloat);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Outcome one = run_chain(*chain, x);
  at::set_num_threads(2);
  const Outcome two = run_chain(*chain, x);
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(one.value, two.value));
  EXPECT_TRUE(at::equal(one.log_det, two.log_det));
  EXPECT_TRUE(at::equal(one.input_gradient, two.input_gradient));
  if (one.condition_gradient.defined()) {
    EXPECT_TRUE(at::equal(one.condition_gradient, two.condition_gradient));
  }
  for (size_t k = 0; k < one.gradients.size(); ++k)
    EXPECT_TRUE(at::equal(one.gradients[k], two.gradients[k])) << k;
}

INSTANTIATE_TEST_SUITE_P(, Lowering, ::testing::ValuesIn(samples()),
                         [](const auto& test) { return test.param.name; });

TEST(LoweringRun, SolveThatFailsNamesItsRow) {
  ContractiveBlockOptions options = block(FormKind::kMonotone, Activation::kCPila, 2);
  options.solver.max_iterations = 2;
  ContractiveBlock block(options);
  block.to(at::kDouble);
  const std::string text =
      testing::error_of<ConvergenceError>([&] { block.forward(inputs(40, 2, at::kDouble)); });
  EXPECT_NE(text.find("[ContractiveBlock] solve: expected an error of at most 1e-13"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("in row 0"), std::string::npos) << text;
}

TEST(LoweringRun, Float32InverseGoesOnToRounding) {
  ContractiveBlockOptions options = block(FormKind::kResidual, Activation::kClipSwish, 8);
  options.net.lipschitz = 0.95;
  options.tolerance = 1e-6;
  ContractiveBlock narrow(options), wide(options);
  narrow.to(at::kFloat);
  wide.to(at::kFloat);
  wide.to(at::kDouble);
  const at::Tensor x = inputs(300, 8, at::kFloat);
  const at::Tensor z = wide.forward(x.to(at::kDouble)).value.to(at::kFloat);
  const at::Tensor exact = wide.inverse(z.to(at::kDouble)).value;
  const TransformOutput out = narrow.inverse(z);
  const at::Tensor error = at::linalg_vector_norm(out.value.to(at::kDouble) - exact, 2, {1});
  // Certified is what float32 can certify, 1e-4 here; reached is a few units in the last place.
  EXPECT_LE(error.max().item<double>(), 2.5e-6);
  EXPECT_TRUE((error <= out.solve_error_bound.to(at::kDouble)).all().item<bool>());
}

TEST(LoweringRun, BlocksWithAndWithoutAConditionShareAProgram) {
  ContractiveBlockOptions options = block(FormKind::kMonotone, Activation::kClipSwish, 2);
  const auto plain = std::make_shared<ContractiveBlock>(options);
  options.condition = 3;
  Chain chain({plain, std::make_shared<ContractiveBlock>(options), plain});
  chain.to(at::kDouble);
  const at::Tensor x = inputs(37, 2, at::kDouble);
  Context context{.condition = conditions(chain, 37, at::kDouble).detach()};
  const auto tail = lower_tail(chain, x, context);
  ASSERT_NE(tail, nullptr);
  EXPECT_EQ(tail->lowering.blocks, 3);
  const Outcome kernel = run_chain(chain, x);
  const ScopedIsa composed("composed");
  expect_same(kernel, run_chain(chain, x), kFloat64, "mixed");
}

// Curves in front of the blocks learn, and the blocks still take one visit, in their own type.
TEST(LoweringRun, WhatLearnsBeforeTheTailGetsItsGradient) {
  const auto columns = std::make_shared<ColumnMap>(
      ColumnMapOptions{{ColumnInfo{.center = 4.0, .scale = 2.0}, ColumnInfo{.scale = 0.5}}});
  const auto curves =
      std::make_shared<MarginalSpline>(MarginalSplineOptions{.event = 2, .knots = {12, 0}});
  Chain chain(
      {columns, curves, std::make_shared<ActNorm>(ActNormOptions{.event = 2}),
       std::make_shared<ContractiveBlock>(block(FormKind::kMonotone, Activation::kClipSwish, 2))});
  const at::Tensor x = Rng(4).normal({300, 2}, at::kDouble) * at::tensor({2.0, 0.5}) + 1.0;
  const at::Tensor weight = at::arange(1, 301, x.options()).sin();
  const Context context{.rng = Rng(11), .phase = Phase::kTrain};
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    chain.to(type);
    chain.prepare(x, context);
    const std::vector<at::Tensor> parameters = chain.parameters();
    for (const at::Tensor& p : parameters) p.mutable_grad() = at::Tensor();
    const TransformOutput out = chain.forward(x, context);
    const at::Tensor log_prob = out.log_det - at::log(at::cosh(out.value)).sum(1);
    const std::vector<at::Tensor> expected =
        torch::autograd::grad({(log_prob * weight).sum()}, parameters);
    const auto got = add_lowered_gradient(chain, x, weight.to(type), HyperbolicScore(), context);
    ASSERT_TRUE(got);
    const double tolerance = type == at::kDouble ? kFloat64 : kFloat32;
    EXPECT_TRUE(near(got->value, out.value.detach(), tolerance));
    EXPECT_TRUE(near(got->log_det + got->log_det_before, out.log_det.detach(), tolerance));
    EXPECT_FALSE(got->log_det_before.requires_grad());
    for (size_t k = 0; k < expected.size(); ++k) {
      const double scale = std::max(1.0, expected[k].abs().max().item<double>());
      ASSERT_TRUE(parameters[k].grad().defined()) << k;
      EXPECT_GT(expected[k].abs().max().item<double>(), 0.0) << k;
      EXPECT_TRUE(near(parameters[k].grad() / scale, expected[k] / scale, tolerance)) << k;
    }
  }
}

TEST(LoweringRun, AProgramHasOneCondition) {
  ContractiveBlockOptions options = block(FormKind::kResidual, Activation::kTanh, 2);
  options.condition = 1;
  ContractiveBlock block(options);
  const at::Tensor x = inputs(4, 2, at::kFloat);
  const at::NoGradGuard guard;
  TileLowering to(x);
  const TileLowering::Mark empty = to.mark();
  const Context first{.condition = at::ones({4, 1})}, second{.condition = at::zeros({4, 1})};
  EXPECT_TRUE(block.lower(to, first, false));
  EXPECT_FALSE(block.lower(to, second, false));
  EXPECT_TRUE(block.lower(to, first, true));
  EXPECT_EQ(to.blocks, 2);
  to.reset(empty);
  EXPECT_TRUE(block.lower(to, second, false));
}

TEST(LoweringRun, LogDetIsLeftOutWhenNotWanted) {
  const auto chain = flow_of(block(FormKind::kResidual, Activation::kClipSwish, 2), at::kDouble);
  const at::Tensor z = inputs(40, 2, at::kDouble);
  Context context;
  const TransformOutput with_it = chain->inverse(z, context);
  context.hints.wants_log_det = false;
  const TransformOutput without = chain->inverse(z, context);
  EXPECT_FALSE(without.log_det.defined());
  EXPECT_TRUE(near(without.value, with_it.value, kFloat64));
}

TEST(LoweringRun, UnknownInstructionSetIsAnError) {
  const std::string text = testing::error_of<ConfigError>([] { const ScopedIsa pin("sse9"); });
  EXPECT_NE(text.find("CONTRAFLOW_ISA"), std::string::npos) << text;
}

// What runs there needs a card; where it goes does not.
TEST(LoweringRun, ACardTakesNarrowNetsAndFewRows) {
  const double number = 0.0;
  const auto suits = [&](int64_t width, int64_t rows, bool solves, at::DeviceType device) {
    kernels::TileNet net;
    for (const auto& [inputs, outputs] :
         {std::pair{int64_t{2}, width}, {width, width}, {width, 2}}) {
      kernels::TileLayer layer;
      layer.weight = layer.bias = &number;  // only their sizes are looked at
      layer.inputs = inputs;
      layer.outputs = outputs;
      net.layers.push_back(layer);
    }
    TileLowering to(at::zeros({1, 2}, at::kFloat));
    to.batch = rows;
    to.options = to.options.device(device);
    return suits_device(net, solves, to);
  };
  constexpr int64_t kMany = 1'000'000;
  EXPECT_TRUE(suits(128, kMany, false, at::kCPU));
  EXPECT_TRUE(suits(32, kMany, false, at::kCUDA));
  EXPECT_TRUE(suits(128, 500, false, at::kCUDA));
  EXPECT_FALSE(suits(128, 20'000, false, at::kCUDA));
  EXPECT_FALSE(suits(100, kMany, false, at::kCUDA));
  EXPECT_TRUE(suits(100, kMany, true, at::kCUDA));   // 43 KB of weights stay close
  EXPECT_FALSE(suits(128, kMany, true, at::kCUDA));  // 68 KB do not
}

}  // namespace
}  // namespace contraflow
