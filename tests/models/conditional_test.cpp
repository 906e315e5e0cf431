// Densities given a condition, p(x | c), for every family of contractive blocks, in float64.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "contraflow/models/contractive.h"
#include "contraflow/networks/net_options.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::batch_jacobian;
using testing::central_difference;
using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

constexpr int64_t kDim = 3;
constexpr int64_t kCondition = 2;
constexpr int64_t kRows = 6;

ContractiveOptions small_options(Family family) {
  ContractiveOptions o{.family = family, .blocks = 2, .actnorm = true};
  o.net = {.kind = NetKind::kDense,
           .depth = 2,
           .growth = 6,
           .activation = Activation::kClipSwish,
           .lipschitz = 0.9,
           .norm_tolerance = 1e-10,
           .init_gain = 2.5};
  o.train_tolerance = o.tolerance = o.backward_tolerance = 1e-12;
  return o;
}

class Conditional : public ::testing::TestWithParam<Family> {
 protected:
  Conditional()
      : flow_(build_flow(
            contractive_spec(small_options(GetParam()), {.event = kDim, .condition = kCondition}))),
        x_(Rng(2).normal({kRows, kDim}, at::kDouble)),
        condition_(Rng(3).normal({kRows, kCondition}, at::kDouble)) {
    flow_->to(at::kDouble);
    flow_->prepare(Rng(4).normal({100, kDim}, at::kDouble) * 1.5 + 0.3,
                   {.condition = Rng(5).normal({100, kCondition}, at::kDouble)});
    flow_->prepare({});
  }

  at::Tensor latent(const at::Tensor& x, const at::Tensor& condition) const {
    return flow_->transform()->forward(x, {.condition = condition}).value;
  }

  std::vector<const ContractiveBlock*> blocks() const {
    std::vector<const ContractiveBlock*> out;
    for (const auto& module : flow_->modules(/*include_self=*/false)) {
      if (const auto* block = dynamic_cast<const ContractiveBlock*>(module.get()))
        out.push_back(block);
    }
    return out;
  }

  FlowPtr flow_;
  at::Tensor x_, condition_;
};

TEST_P(Conditional, LogProbIsThatOfTheExactJacobian) {
  const at::Tensor jacobian =
      batch_jacobian([this](const at::Tensor& x) { return latent(x, condition_); }, x_);
  const at::Tensor expected = flow_->base()->log_prob(latent(x_, condition_).detach()) +
                              std::get<1>(at::linalg_slogdet(jacobian));
  const at::Tensor got = flow_->log_prob(x_, {.condition = condition_});
  EXPECT_TRUE(near(got, expected, 1e-9));
  // Conditions that go to other rows must not pass.
  EXPECT_FALSE(near(flow_->log_prob(x_, {.condition = condition_.roll(1, 0)}), expected, 1e-2));
}

TEST_P(Conditional, RowsSeeTheirOwnConditionOnly) {
  const at::Tensor whole = flow_->log_prob(x_, {.condition = condition_}).detach();
  at::Tensor changed = condition_.clone();
  changed.narrow(0, 1, 1).add_(2.0);
  const at::Tensor again = flow_->log_prob(x_, {.condition = changed}).detach();
  for (int64_t r = 0; r < kRows; ++r) {
    const double step = std::abs((again[r] - whole[r]).item<double>());
    if (r == 1) {
      EXPECT_GT(step, 1e-2);
    } else {
      EXPECT_LT(step, 1e-11) << r;
    }
  }
}

TEST_P(Conditional, InverseUndoesForwardUnderTheSameCondition) {
  const auto inverse = [this](const at::Tensor& z, const at::Tensor& condition) {
    return flow_->transform()->inverse(z, {.condition = condition});
  };
  const at::Tensor z = latent(x_, condition_).detach();
  const TransformOutput back = inverse(z, condition_);
  EXPECT_TRUE(near(back.value, x_, 1e-10));
  if (back.solve_error_bound.defined()) {  // else the inverse is explicit
    EXPECT_TRUE(back.solve_error_bound.lt(1e-9).all().item<bool>());
  }
  EXPECT_FALSE(near(inverse(z, condition_ + 0.5).value, x_, 1e-2));
  const SampleWithLogProb drawn =
      flow_->sample_and_log_prob(kRows, {.rng = Rng(8), .condition = condition_});
  EXPECT_TRUE(near(flow_->log_prob(drawn.sample, {.condition = condition_}), drawn.log_prob, 1e-9));
}

TEST_P(Conditional, GradientsOfParametersAndConditionMatchDifferences) {
  constexpr double kTolerance = 2e-6;  // step^2 times a third derivative, rounding over the step
  const at::Tensor weight = Rng(6).normal({kRows}, at::kDouble);  // of both signs
  const at::Tensor condition = condition_.clone();
  const auto loss = [&](const at::Tensor& c) {
    return (weight * flow_->log_prob(x_, {.condition = c})).sum();
  };
  const auto after_refresh = [&] {
    flow_->prepare({});  // the bounds on the norms follow the weights
    return loss(condition).item<double>();
  };
  std::vector<at::Tensor> moved{condition};
  std::vector<std::string> names{"condition"};
  for (const auto& item : flow_->named_parameters()) {
    moved.push_back(item.value());
    names.push_back(item.key());
  }
  const at::Tensor leaf = condition.clone().requires_grad_(true);
  std::vector<at::Tensor> inputs = moved;
  inputs[0] = leaf;
  const auto gradients = torch::autograd::grad({loss(leaf)}, inputs);
  int64_t of_condition = 0;
  for (size_t i = 0; i < moved.size(); ++i) {
    const at::Tensor raw = Rng(7).fork(names[i]).normal(moved[i].sizes(), at::kDouble);
    const at::Tensor direction = raw / raw.norm();
    const double expected = central_difference(after_refresh, moved[i], direction);
    EXPECT_GT(gradients[i].norm().item<double>(), 0.0) << names[i];
    EXPECT_NEAR((gradients[i] * direction).sum().item<double>(), expected,
                kTolerance * std::max(1.0, gradients[i].norm().item<double>()))
        << names[i];
    of_condition += names[i].ends_with("condition_weight") ? 1 : 0;
  }
  EXPECT_EQ(of_condition, 2 * std::ssize(blocks())) << "every hidden layer takes the condition";
}

// The proof is about weights that x passes, so no condition and no weight of it can break it.
TEST_P(Conditional, TheLipschitzProofHoldsForEveryCondition) {
  constexpr int64_t kPoints = 64;
  for (const ContractiveBlock* block : blocks()) {
    const ContractiveNetPtr& net = block->net();
    const at::Tensor w = Rng(9).normal({kPoints, kDim}, at::kDouble);
    const double bound = net->lipschitz();
    EXPECT_TRUE(net->proven());
    EXPECT_LE(bound, 0.9 * (1 + 1e-12));
    const auto steepest = [&](double size) {
      const at::Tensor condition = size * Rng(10).normal({kPoints, kCondition}, at::kDouble);
      const auto point = net->linearize(w, condition);
      const at::Tensor basis = at::eye(kDim, at::kDouble).unsqueeze(1).expand({-1, kPoints, -1});
      const at::Tensor jacobian = point->jvp(basis.contiguous()).permute({1, 2, 0});
      return at::linalg_matrix_norm(jacobian, 2).max().item<double>();
    };
    const double before = steepest(1.0);
    for (const double size : {0.0, 1.0, 100.0}) EXPECT_LE(steepest(size), bound) << size;
    const at::NoGradGuard guard;
    for (const auto& item : net->named_parameters()) {
      if (item.key().ends_with("condition_weight")) item.value().mul_(30.0);
    }
    net->refresh(true);
    EXPECT_NEAR(net->lipschitz(), bound, 1e-9);  // proven anew, of the same weights
    EXPECT_NE(steepest(1.0), before);
    EXPECT_LE(steepest(1.0), bound);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Conditional,
                         ::testing::Values(Family::kResidual, Family::kInverseResidual,
                                           Family::kImplicit, Family::kMonotone),
                         [](const auto& test) { return std::string(enum_name(test.param)); });

TEST(ConditionalBlock, NetworksOfOtherSizesAreRefused) {
  const auto net = [](int64_t dim, int64_t condition) {
    return make_net(dim, condition, NetOptions{}, Rng(1));
  };
  const ContractiveBlockOptions options{.event = 2, .condition = 3};
  EXPECT_NO_THROW(ContractiveBlock(options, net(2, 3)));
  EXPECT_THAT(
      error_of<ConfigError>([&] { ContractiveBlock(options, net(2, 0)); }),
      HasSubstr("[contractive_block] net: expected a network of 2 features with a condition of "
                "width 3, got a network of 2 features with a condition of width 0. "));
  EXPECT_THAT(error_of<ConfigError>([&] { ContractiveBlock(options, net(4, 3)); }),
              HasSubstr("got a network of 4 features"));
  EXPECT_THAT(error_of<ConfigError>([&] { ContractiveBlock(options, nullptr); }),
              HasSubstr("got none"));
}

}  // namespace
}  // namespace contraflow
