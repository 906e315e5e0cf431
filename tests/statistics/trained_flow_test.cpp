#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/estimate.h"
#include "contraflow/data/dataset.h"
#include "contraflow/models/presets.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "contraflow/training/trainer.h"
#include "tests/support/statistics.h"

namespace contraflow {
namespace {

double svd_norm(const at::Tensor& w) {
  return std::get<1>(at::linalg_svd(w.detach().to(at::kDouble))).max().item<double>();
}

std::vector<std::shared_ptr<LipschitzLinear>> linear_layers(const Flow& flow) {
  std::vector<std::shared_ptr<LipschitzLinear>> out;
  for (const auto& module : flow.modules(/*include_self=*/false)) {
    if (auto layer = std::dynamic_pointer_cast<LipschitzLinear>(module)) out.push_back(layer);
  }
  return out;
}

// One short run on moons, shared by the tests below; the certificate is checked on the way.
class TrainedFlow : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    flow_ = models::monotone_flow({.event = 2, .blocks = 3, .seed = 1});
    const data::Dataset moons = data::open_data({.name = "moons"});
    const auto layers = linear_layers(*flow_);
    TrainerHooks hooks;
    hooks.on_step = [&](const MetricsRecord& record) {
      if (record.step % 10 == 0) check_certificates(layers);
    };
    TrainingOptions options;
    options.steps = 250;
    options.batch_size = 256;
    options.adam.learning_rate = 5e-3;
    options.validate_every = 0;
    fit(*flow_, moons.splits, options, hooks);
    flow_->to(at::kDouble);
    flow_->prepare({});
  }
  static void TearDownTestSuite() { flow_.reset(); }

  // The hook runs after the step: weights have moved, so the norms are proven anew.
  static void check_certificates(const std::vector<std::shared_ptr<LipschitzLinear>>& layers) {
    for (const auto& layer : layers) {
      layer->refresh(true);
      const double norm = svd_norm(layer->named_parameters()["weight"]);
      const NormBounds bounds = layer->bounds();
      lowest_margin_ = std::min(lowest_margin_, bounds.upper / norm);
      highest_slack_ = std::max(highest_slack_, bounds.upper / norm);
      highest_estimate_ = std::max(highest_estimate_, bounds.lower / norm);
      highest_effective_ =
          std::max(highest_effective_, svd_norm(layer->effective_weight()) / layer->options().cap);
      ++checks_;
    }
  }

  static inline FlowPtr flow_;
  static inline double lowest_margin_ = 1e9, highest_slack_ = 0, highest_estimate_ = 0,
                       highest_effective_ = 0;
  static inline int64_t checks_ = 0;
};

TEST_F(TrainedFlow, CertificatesHeldAtEveryTenthStep) {
  EXPECT_EQ(checks_, 25 * 12);
  EXPECT_GE(lowest_margin_, 1.0);           // proven bound >= norm
  EXPECT_LE(highest_estimate_, 1 + 1e-14);  // estimate <= norm
  EXPECT_LT(highest_slack_, 1.01);
  EXPECT_LE(highest_effective_, 1.0);
}

TEST_F(TrainedFlow, DensityIntegratesToOne) {
  at::NoGradGuard guard;
  constexpr double kSide = 9.0;
  constexpr int64_t kCells = 500;
  const at::Tensor grid = testing::midpoint_grid(-kSide, kSide, kCells, 2);
  double sum = 0;
  for (const at::Tensor& part : grid.split(25'000))
    sum += flow_->log_prob(part).exp().sum().item<double>();
  const double cell = 2 * kSide / kCells;
  EXPECT_NEAR(sum * cell * cell, 1.0, 2e-3);
}

// Kolmogorov-Smirnov distance of each coordinate from the standard normal, times sqrt(n).
double worst_ks(const at::Tensor& z) {
  double worst = 0;
  const auto n = static_cast<double>(z.size(0));
  for (int64_t k = 0; k < z.size(1); ++k) {
    const at::Tensor sorted = std::get<0>(z.select(1, k).sort());
    const at::Tensor cdf = 0.5 * at::erfc(-sorted / std::sqrt(2.0));
    const at::Tensor above = at::arange(1, z.size(0) + 1, at::kDouble) / n - cdf;
    const at::Tensor below = cdf - at::arange(0, z.size(0), at::kDouble) / n;
    worst = std::max({worst, above.max().item<double>(), below.max().item<double>()});
  }
  return worst * std::sqrt(n);
}

TEST_F(TrainedFlow, SamplesPushedBackAreStandardNormal) {
  constexpr double kCritical = 1.95;  // exceeded by chance once in 1,000 draws
  constexpr int64_t kCount = 20'000;
  const at::Tensor x = flow_->sample(kCount, {.rng = Rng(5), .condition = {}});
  at::NoGradGuard guard;
  const at::Tensor z = flow_->transform()->forward(x).value;
  EXPECT_LT(worst_ks(z), kCritical);
  const double correlation = (z.select(1, 0) * z.select(1, 1)).mean().item<double>();
  EXPECT_LT(std::abs(correlation) * std::sqrt(kCount), 4.0);
  // The same test sees samples drawn 6 % too wide.
  const at::Tensor wide =
      flow_->sample(kCount, {.rng = Rng(5), .temperature = 1.06, .condition = {}});
  EXPECT_GT(worst_ks(flow_->transform()->forward(wide).value), kCritical);
}

TEST(ErrorBars, CoverTheExactValueNineteenTimesInTwenty) {
  constexpr int64_t kIntervals = 500;
  ContractiveOptions options = models::contractive_preset("idensenet");
  options.blocks = 2;
  options.standardize = false;
  options.net.init_gain = 3.0;
  options.eval_log_det = RussianRoulette{.exact_terms = 3, .geometric_p = 0.3};
  const FlowPtr random = build_flow(contractive_spec(options, {.event = 3}));
  options.eval_log_det = ExactLogDet{};
  const FlowPtr exact = build_flow(contractive_spec(options, {.event = 3}));
  random->to(at::kDouble);
  exact->to(at::kDouble);

  const at::Tensor x = at::tensor({0.4, -0.7, 1.1}, at::kDouble).expand({kIntervals, 3});
  const double truth = exact->log_prob(x.narrow(0, 0, 1)).item<double>();
  constexpr int64_t kReplicates = 24;
  const LogProbWithError found =
      random->log_prob_with_error(x, {.condition = {}, .rng = Rng(6)}, kReplicates);
  ASSERT_GT(found.standard_error.min().item<double>(), 0.0);
  const double t = student_t_quantile(0.95, kReplicates - 1);
  const double covered = ((found.log_prob - truth).abs() <= t * found.standard_error)
                             .to(at::kDouble)
                             .mean()
                             .item<double>();
  EXPECT_GE(covered, 0.92);
  EXPECT_LE(covered, 0.98);
}

}  // namespace
}  // namespace contraflow
