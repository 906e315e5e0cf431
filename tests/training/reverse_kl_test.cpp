#include "contraflow/training/reverse_kl.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/distributions/diagonal_normal.h"
#include "contraflow/distributions/energies.h"
#include "contraflow/distributions/normal.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;

constexpr EnergyKind kEnergies[] = {EnergyKind::kU1, EnergyKind::kU2, EnergyKind::kU3,
                                    EnergyKind::kU4};

FlowPtr small_flow(int64_t blocks, double tolerance = 1e-4) {
  std::vector<TransformPtr> members;
  for (int64_t k = 0; k < blocks; ++k) {
    members.push_back(std::make_shared<ActNorm>(ActNormOptions{.dim = 2}));
    ContractiveBlockOptions o{.dim = 2, .form = FormKind::kMonotone, .seed = k};
    o.net.growth = 16;
    o.net.activation = Activation::kCPila;
    o.net.norm_tolerance = std::min(1e-3, tolerance * 1e3);
    o.train_log_det = ExactLogDet{};
    o.train_tolerance = o.tolerance = tolerance;
    o.backward_tolerance = std::min(tolerance, 1e-3);
    members.push_back(std::make_shared<ContractiveBlock>(o));
  }
  return std::make_shared<Flow>(std::make_shared<Chain>(std::move(members)),
                                std::make_shared<Normal>(NormalOptions{.dim = 2}));
}

TEST(Energies, AreThoseOfTheTable) {
  const at::Tensor x = at::tensor({0.0, 0.0, 1.0, -1.5, -2.0, 0.5}, at::kDouble).view({3, 2});
  for (int64_t r = 0; r < 3; ++r) {
    const double a = x[r][0].item<double>(), b = x[r][1].item<double>();
    const auto sq = [](double v) { return v * v; };
    const double w1 = std::sin(2 * M_PI * a / 4), w2 = 3 * std::exp(-0.5 * sq((a - 1) / 0.6)),
                 w3 = 3 / (1 + std::exp(-(a - 1) / 0.3));
    const double expected[] = {
        0.5 * sq((std::hypot(a, b) - 2) / 0.4) -
            std::log(std::exp(-0.5 * sq((a - 2) / 0.6)) + std::exp(-0.5 * sq((a + 2) / 0.6))),
        0.5 * sq((b - w1) / 0.4),
        -std::log(std::exp(-0.5 * sq((b - w1) / 0.35)) + std::exp(-0.5 * sq((b - w1 + w2) / 0.35))),
        -std::log(std::exp(-0.5 * sq((b - w1) / 0.4)) + std::exp(-0.5 * sq((b - w1 + w3) / 0.35)))};
    for (size_t k = 0; k < 4; ++k)
      EXPECT_NEAR(energy(kEnergies[k], x)[r].item<double>(), expected[k], 1e-12) << k << " " << r;
  }
}

TEST(Energies, HaveNormalisers) {
  // U2 is a normal strip of width .4 along the wave, with Gaussian ends of width .4.
  const double root = std::sqrt(2 * M_PI) * 0.4;
  EXPECT_NEAR(log_normaliser(EnergyKind::kU2), std::log(root * (8 + root)), 1e-6);
  for (const EnergyKind kind : kEnergies) EXPECT_TRUE(std::isfinite(log_normaliser(kind)));
}

TEST(ReverseKl, GradientIsTheFiniteDifferenceOfTheLoss) {
  const FlowPtr flow = small_flow(1, 1e-12);
  flow->to(at::kDouble);
  const auto loss = [&] {
    const DifferentiableSample s = differentiable_sample(*flow, 40, Rng(1));
    return (s.log_prob + energy(EnergyKind::kU4, s.sample)).mean();
  };
  flow->prepare(Rng(2).normal({50, 2}, at::kDouble));
  loss().backward();
  for (const at::Tensor& p : flow->parameters()) {
    const at::Tensor direction = Rng(3).normal(p.sizes(), at::kDouble);
    const double analytic = (p.grad() * direction).sum().item<double>();
    const double numeric = testing::central_difference(
        [&] {
          flow->prepare({});
          return loss().item<double>();
        },
        p, direction);
    EXPECT_NEAR(analytic, numeric, 1e-6 * (1 + std::abs(numeric)));
  }
}

TEST(ReverseKl, LogProbIsThatOfTheFlow) {
  const FlowPtr flow = small_flow(2, 1e-10);
  flow->to(at::kDouble);
  flow->prepare(Rng(2).normal({50, 2}, at::kDouble));
  const DifferentiableSample s = differentiable_sample(*flow, 30, Rng(1));
  EXPECT_TRUE(s.sample.requires_grad());
  EXPECT_TRUE(testing::near(s.log_prob, flow->log_prob(s.sample.detach()), 1e-7));
}

// Gibbs: the loss is never below -log Z, and training brings it near.
TEST(ReverseKl, FitsEveryEnergy) {
  for (const EnergyKind kind : kEnergies) {
    const FlowPtr flow = small_flow(4);
    const Energy target = [kind](const at::Tensor& x) { return energy(kind, x); };
    const double log_z = log_normaliser(kind);
    fit_reverse_kl(*flow, target, {.steps = 1, .batch_size = 200});
    const double before = reverse_kl(*flow, target, 2000, Rng(5)).mean + log_z;
    fit_reverse_kl(*flow, target,
                   {.steps = 300, .batch_size = 200, .adam = {.learning_rate = 5e-3}});
    const MeanWithError after = reverse_kl(*flow, target, 2000, Rng(5));
    const double kl = after.mean + log_z;
    EXPECT_GT(kl, -4 * after.standard_error) << enum_name(kind);
    EXPECT_LT(kl, 0.6) << enum_name(kind) << " from " << before;
    EXPECT_LT(kl, 0.3 * before) << enum_name(kind);
  }
}

TEST(ReverseKl, RefusesWhatHasNoGradient) {
  const Energy target = [](const at::Tensor& x) { return energy(EnergyKind::kU1, x); };
  std::vector<TransformPtr> members = {std::make_shared<ActNorm>(ActNormOptions{.dim = 2})};
  Flow learned(std::make_shared<Chain>(members),
               std::make_shared<DiagonalNormal>(DiagonalNormalOptions{.dim = 2}));
  EXPECT_NE(error_of<ConfigError>([&] { fit_reverse_kl(learned, target, {}); }).find("base"),
            std::string::npos);
  const FlowPtr flow = small_flow(1);
  const Energy broken = [](const at::Tensor& x) { return x.sum(1) * std::nan(""); };
  EXPECT_NE(error_of<NumericsError>([&] { fit_reverse_kl(*flow, broken, {}); }).find("step 1"),
            std::string::npos);
  EXPECT_NE(
      error_of<ConfigError>([&] { fit_reverse_kl(*flow, target, {.steps = 0}); }).find("steps"),
      std::string::npos);
}

}  // namespace
}  // namespace contraflow
