#include "contraflow/training/reverse_kl.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/bases/diagonal_normal.h"
#include "contraflow/bases/normal.h"
#include "contraflow/bases/normal_mixture.h"
#include "contraflow/distributions/energies.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;

constexpr EnergyKind kEnergies[] = {EnergyKind::kU1, EnergyKind::kU2, EnergyKind::kU3,
                                    EnergyKind::kU4};

FlowPtr small_flow(int64_t blocks, double tolerance = 1e-4) {
  std::vector<TransformPtr> members;
  for (int64_t k = 0; k < blocks; ++k) {
    members.push_back(std::make_shared<ActNorm>(ActNormOptions{.event = 2}));
    ContractiveBlockOptions o{.event = 2, .form = FormKind::kMonotone, .seed = k};
    o.net.growth = 16;
    o.net.activation = Activation::kCPila;
    o.net.norm_tolerance = std::min(1e-3, tolerance * 1e3);
    o.train_log_det = ExactLogDet{};
    o.train_tolerance = o.tolerance = tolerance;
    o.backward_tolerance = std::min(tolerance, 1e-3);
    members.push_back(std::make_shared<ContractiveBlock>(o));
  }
  return std::make_shared<Flow>(std::make_shared<Chain>(std::move(members)),
                                std::make_shared<Normal>(NormalOptions{.event = 2}));
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
    const SampleWithLogProb s = flow->rsample_and_log_prob(40, {.rng = Rng(1)});
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
  const SampleWithLogProb s = flow->rsample_and_log_prob(30, {.rng = Rng(1)});
  EXPECT_TRUE(s.sample.requires_grad());
  EXPECT_TRUE(testing::near(s.log_prob, flow->log_prob(s.sample.detach()), 1e-7));
}

// Gibbs: the loss is never below -log Z, and training brings it near.
TEST(ReverseKl, FitsEveryEnergy) {
  for (const EnergyKind kind : kEnergies) {
    const FlowPtr flow = small_flow(4);
    const Energy target = [kind](const at::Tensor& x) { return energy(kind, x); };
    const double log_z = log_normaliser(kind);
    const auto options = [](int64_t steps, double rate) {
      return TrainingOptions{
          .steps = steps, .batch_size = 200, .adam = {.learning_rate = rate}, .validate_every = 0};
    };
    fit_reverse_kl(*flow, target, options(1, 1e-3));
    const double before = measure_reverse_kl(*flow, target, 2000, Rng(5)).loss.mean + log_z;
    fit_reverse_kl(*flow, target, options(300, 5e-3));
    const ReverseKlReport report = measure_reverse_kl(*flow, target, 2000, Rng(5));
    const Estimate after = report.loss;
    const double kl = after.mean + log_z;
    EXPECT_GT(kl, -4 * after.standard_error) << enum_name(kind);
    EXPECT_LT(kl, 0.6) << enum_name(kind) << " from " << before;
    EXPECT_LT(kl, 0.3 * before) << enum_name(kind);
    EXPECT_LT(report.effective_rows, 2000.0) << enum_name(kind);
    // The same target one unit away, with the same log Z, must not pass.
    const Energy away = [kind](const at::Tensor& x) {
      return energy(kind, x + at::tensor({0.0, 1.0}, x.options()));
    };
    EXPECT_GT(measure_reverse_kl(*flow, away, 2000, Rng(5)).loss.mean + log_z, 0.6)
        << enum_name(kind);
  }
}

TEST(ReverseKl, ImportanceSamplingGivesTheNormaliserAndTheSampleSize) {
  // A standard normal against itself, 3 too high: log Z = log(2 pi) - 3 exactly, every ratio equal.
  const auto chain = std::make_shared<Chain>(
      std::vector<TransformPtr>{std::make_shared<ActNorm>(ActNormOptions{.event = 2})});
  Flow flow(chain, std::make_shared<Normal>(NormalOptions{.event = 2}));
  flow.to(at::kDouble);
  const Energy same = [](const at::Tensor& x) { return x.square().sum(1) / 2 + 3; };
  const ReverseKlReport equal = measure_reverse_kl(flow, same, 500, Rng(1));
  EXPECT_NEAR(equal.log_z, std::log(2 * M_PI) - 3, 1e-12);
  EXPECT_NEAR(equal.loss.mean, -equal.log_z, 1e-12);
  EXPECT_NEAR(equal.effective_rows, 500.0, 1e-6);
  EXPECT_NEAR(equal.log_z_error, 0.0, 1e-6);
  // A variance of .8 in both directions: E r^2 / (E r)^2 = 1 / (s (2 - s)), s = .8.
  const Energy narrow = [](const at::Tensor& x) { return x.square().sum(1) / 1.6; };
  const ReverseKlReport other = measure_reverse_kl(flow, narrow, 50'000, Rng(1));
  EXPECT_NEAR(other.log_z, std::log(2 * M_PI * 0.8), 5 * other.log_z_error);
  EXPECT_NEAR(other.effective_rows / 50'000, 0.8 * 1.2, 0.01);
  EXPECT_NEAR(other.loss.mean + std::log(2 * M_PI * 0.8), std::log(0.8) + 1 / 0.8 - 1,
              5 * other.loss.standard_error);
}

TEST(ReverseKl, AnInterruptedRunEndsBitForBitLikeAnUninterruptedOne) {
  const Energy target = [](const at::Tensor& x) { return energy(EnergyKind::kU1, x); };
  const auto run = [&](const std::filesystem::path& folder, int64_t stop) {
    const bool resumed = RunFolder::holds_run(folder);
    const RunFolder run_folder(folder, resumed ? RunMode::kResume : RunMode::kNew, "");
    TrainingOptions options = testing::small_options();
    options.objective = "reverse_kl";
    int64_t step = 0;
    TrainerHooks hooks;
    hooks.on_step = [&step](const MetricsRecord& r) { step = r.step; };
    hooks.should_stop = [&step, stop] { return step >= stop; };
    const FlowPtr flow = small_flow(1);
    return fit_in_folder(ReverseKl(flow, target), options, run_folder, hooks);
  };
  const testing::TempFolder whole, parts;
  const TrainReport report = run(whole.path(), 1000);
  for (const int64_t stop : {1, 9, 10, 23, 1000}) run(parts.path(), stop);
  EXPECT_EQ(testing::read_bytes(whole.path() / "checkpoint.safetensors"),
            testing::read_bytes(parts.path() / "checkpoint.safetensors"));
  ASSERT_TRUE(report.best.has_value());  // by the validations of the KL estimate
  EXPECT_EQ(report.best->loss.count, 80);
  EXPECT_GT(report.best->loss.mean, -log_normaliser(EnergyKind::kU1));
}

TEST(ReverseKl, RefusesWhatHasNoGradient) {
  const Energy target = [](const at::Tensor& x) { return energy(EnergyKind::kU1, x); };
  std::vector<TransformPtr> members = {std::make_shared<ActNorm>(ActNormOptions{.event = 2})};
  Flow learned(std::make_shared<Chain>(members),
               std::make_shared<NormalMixture>(NormalMixtureOptions{.event = 2}));
  EXPECT_NE(error_of<ConfigError>([&] { fit_reverse_kl(learned, target, {}); }).find("base"),
            std::string::npos);
  const FlowPtr flow = small_flow(1);
  const Energy broken = [](const at::Tensor& x) { return x.sum(1) * std::nan(""); };
  const std::string text = error_of<NumericsError>([&] { fit_reverse_kl(*flow, broken, {}); });
  EXPECT_NE(text.find("step 1"), std::string::npos) << text;
  EXPECT_NE(text.find("energy that is not, at x = ["), std::string::npos) << text;
  TrainingOptions rows;
  EXPECT_NE(error_of<ConfigError>([&] { fit(ReverseKl(flow, target), rows); }).find("objective"),
            std::string::npos);
  EXPECT_NE(
      error_of<ConfigError>([&] { fit_reverse_kl(*flow, target, {.steps = 0}); }).find("steps"),
      std::string::npos);
}

}  // namespace
}  // namespace contraflow
