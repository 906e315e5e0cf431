// What a calibration measures, and what blocks do with it.
#include "contraflow/log_det/calibration.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/bases/normal.h"
#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/data/sources.h"
#include "contraflow/models/contractive.h"
#include "contraflow/training/trainer.h"
#include "contraflow/transforms/actnorm.h"
#include "tests/statistics/forms.h"
#include "tests/statistics/gradient_variance.h"

namespace contraflow {
namespace {

using testing::Scheme;

const RussianRoulette kOptimal{.law = RouletteLaw::kOptimal, .calibrate_every = 5};

// G(w) = M w, for which the log-determinant and its tails are known.
class LinearPoint final : public NetPoint {
 public:
  LinearPoint(at::Tensor m, at::Tensor w) : m_(std::move(m)), value_(w.mm(m_.t())) {}
  const at::Tensor& value() const override { return value_; }
  at::Tensor jvp(const at::Tensor& t) const override { return t.matmul(m_.t()); }
  at::Tensor vjp(const at::Tensor& u) const override { return u.matmul(m_); }
  NetGradients gradients(const at::Tensor&, const at::Tensor&, const at::Tensor&) override {
    return {};
  }
  std::unique_ptr<NetPoint> select(const at::Tensor& rows) const override {
    return std::make_unique<LinearPoint>(m_, value_.index_select(0, rows));
  }
  std::unique_ptr<NetPoint> narrow(int64_t count) const override {
    return std::make_unique<LinearPoint>(m_, value_.narrow(0, 0, count));
  }

 private:
  at::Tensor m_, value_;
};

constexpr int64_t kCalibratedDim = 20;
constexpr double kKappa = 0.9;

// Norm below kKappa; eigenvalues around `centre`.
LinearPoint linear_point(double centre, int64_t rows) {
  const at::Tensor noise = Rng(1).normal({kCalibratedDim, kCalibratedDim}, at::kDouble) *
                           (0.15 / std::sqrt(kCalibratedDim));
  const at::Tensor m = noise + centre * at::eye(kCalibratedDim, at::kDouble);
  EXPECT_LT(at::linalg_matrix_norm(m, 2).item<double>(), kKappa);
  return {m, at::zeros({rows, kCalibratedDim}, at::kDouble)};
}

double exact(const LinearPoint& point) {
  const at::Tensor eye = at::eye(kCalibratedDim, at::kDouble);
  return std::get<1>(at::linalg_slogdet(eye + point.vjp(eye))).item<double>();
}

TEST(Calibration, ShiftsASpectrumAroundACentre) {
  const LinearPoint point = linear_point(0.5, 4000);
  for (const RouletteGoal goal : {RouletteGoal::kGradient, RouletteGoal::kValue}) {
    const auto found = calibrate(kResidual, point, kKappa, kOptimal, goal, Rng(2));
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->shift, 0.5, 0.05);
    EXPECT_LT(found->ratio, 0.3);  // .5 without the shift
    const auto law = calibrated_law(kResidual, kKappa, found->shift, found->survival, found->ratio);
    ASSERT_TRUE(law);
    const at::Tensor value =
        estimate_log_det(kResidual, point, kKappa, kOptimal, Rng(3), false, &*law).value;
    const double error = value.std().item<double>() / std::sqrt(4000.0);
    EXPECT_LT(std::abs(value.mean().item<double>() - exact(point)), 4 * error);
    EXPECT_LT(8 * error, 0.02 * exact(point));  // one that is 2 % off would be seen
  }
}

TEST(Calibration, KeepsAnUncentredSpectrumUnshifted) {
  const auto found = calibrate(kResidual, linear_point(0.0, 300), kKappa, kOptimal,
                               RouletteGoal::kGradient, Rng(2));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->shift, 0.0);
  EXPECT_GE(found->gain, 1.0);
}

TEST(Calibration, AdmissibleShiftsKeepTheSeriesConvergent) {
  const BlockForm forms[] = {kResidual, {1, 1, 1, 0}, {1, 1, 1, -1}, {1.0, -0.6, 0.9, 0.7}};
  for (const BlockForm& form : forms) {
    for (const double kappa : {0.1, 0.9, 0.99}) {
      for (const double wanted : {-3.0, -0.4, -0.01, 0.0, 0.01, 0.4, 3.0}) {
        const double c = admissible_shift(form, kappa, wanted);
        EXPECT_LE(std::abs(c), std::abs(wanted));
        EXPECT_GE(c * wanted, 0.0);
        EXPECT_LT(form.shifted(c).series_ratio(kappa + std::abs(c)), 1.0);
      }
    }
  }
}

TEST(Calibration, TheLawIsPositiveNonIncreasingAndOfFiniteVariance) {
  const LinearPoint point = linear_point(0.3, 300);
  for (const double kappa : {0.5, 0.9, 0.99}) {
    const auto found =
        calibrate(kResidual, point, kappa, kOptimal, RouletteGoal::kGradient, Rng(2));
    ASSERT_TRUE(found);
    const auto law = calibrated_law(kResidual, kappa, found->shift, found->survival, found->ratio);
    ASSERT_TRUE(law);
    EXPECT_TRUE(std::is_sorted(law->survival.rbegin(), law->survival.rend()));
    EXPECT_LE(law->survival.front(), 1.0);
    EXPECT_GT(law->survival.back(), 0.0);
    const double far = law->survival.back() / law->survival[law->survival.size() - 2];
    const BlockForm shifted = kResidual.shifted(found->shift);
    EXPECT_GT(far, std::pow(term_ratio(shifted, kappa + std::abs(found->shift)), 2));
  }
  // A shift that a larger constant no longer allows is given up.
  EXPECT_FALSE(calibrated_law(kResidual, 0.99, -0.1, {1.0}, 0.5));
}

TEST(Calibration, BlocksMeasureAtTheFirstCallAndEveryFewCalls) {
  ContractiveBlock block({.event = 3, .train_log_det = kOptimal});
  const at::Tensor x = Rng(1).normal({40, 3}, at::kFloat);
  EXPECT_TRUE(block.prepare_needs_data());
  EXPECT_FALSE(block.calibration(Phase::kTrain));
  EXPECT_GT(block.term_law(Phase::kTrain)->survival.size(), 2U);  // usable before
  block.prepare(x);
  ASSERT_TRUE(block.calibration(Phase::kTrain));
  EXPECT_FALSE(block.calibration(Phase::kEvaluate));
  for (int64_t k = 0; k < kOptimal.calibrate_every; ++k) {
    EXPECT_FALSE(block.prepare_needs_data());
    block.prepare({});
  }
  EXPECT_TRUE(block.prepare_needs_data());
  block.defer_calibration();
  EXPECT_FALSE(block.prepare_needs_data());
  const auto before = block.calibration(Phase::kTrain);
  block.to(at::kDouble);
  block.to(at::kFloat);  // the law stays float64
  EXPECT_EQ(block.calibration(Phase::kTrain)->survival, before->survival);
}

TEST(Calibration, TheFirstIntervalsAreShortAndDouble) {
  RussianRoulette options = kOptimal;
  options.calibrate_every = 35;
  ContractiveBlock block({.event = 3, .train_log_det = options});
  const at::Tensor x = Rng(1).normal({40, 3}, at::kFloat);
  std::vector<int64_t> due;
  for (int64_t call = 0; call < 150; ++call) {
    if (block.prepare_needs_data()) due.push_back(call);
    block.prepare(x);
  }
  EXPECT_EQ(due, (std::vector<int64_t>{0, 11, 32, 68, 104, 140}));
}

// Six blocks on ten correlated columns after a short training.
class TrainedTable : public ::testing::Test {
 protected:
  static FlowPtr trained(const RussianRoulette& law, std::vector<std::string>* warnings) {
    ContractiveOptions model{.family = Family::kResidual, .blocks = 4, .train_log_det = law};
    model.net = {.kind = NetKind::kSequential, .hidden = {32, 32}, .lipschitz = 0.9};
    FlowPtr flow = build_flow(contractive_spec(model, {.event = 10}));
    TrainingOptions options;
    options.steps = warnings != nullptr ? 1 : 150;
    options.batch_size = 128;
    options.adam.learning_rate = 5e-3;
    options.validate_every = 0;
    const ScopedLogSink sink([&](LogLevel level, std::string_view text) {
      if (level == LogLevel::kWarning && warnings != nullptr) warnings->emplace_back(text);
    });
    const auto rows =
        std::make_shared<data::TensorSource>("t", table(), at::Tensor(), at::Tensor(), Rng(1));
    fit(*flow, {rows, nullptr, nullptr}, options);
    return flow;
  }

  static at::Tensor table() {
    const at::Tensor mix = Rng(2).normal({10, 10}, at::kFloat) / std::sqrt(10.0);
    const at::Tensor z = Rng(3).normal({2000, 10}, at::kFloat).mm(mix);
    return (z + at::sin(2 * z)).mm(mix.t());
  }
};

TEST_F(TrainedTable, TheOptimalLawHasTheLeastCostTimesVariance) {
  const FlowPtr flow = trained({.law = RouletteLaw::kOptimal, .calibrate_every = 50}, nullptr);
  const at::Tensor x = table().narrow(0, 0, 256);
  const auto product = [&](const Scheme& scheme) {
    double passes = 0;
    for (const auto& module : flow->modules(false)) {
      const auto* block = dynamic_cast<const ContractiveBlock*>(module.get());
      if (block == nullptr) continue;
      passes += expected_passes(block->form(), scheme.law(*block), RouletteGoal::kGradient, 1);
    }
    return testing::gradient_variance(*flow, x, scheme, 60, Rng(4)).value * passes;
  };
  const auto geometric = [](double p) {
    return [p](const ContractiveBlock& block) {
      return term_law({.exact_terms = 2, .geometric_p = p}, block.form(), 0.9);
    };
  };
  const double optimal =
      product({[](const ContractiveBlock& block) { return *block.term_law(Phase::kTrain); }});
  EXPECT_LT(optimal, product({geometric(0.15)}));
  EXPECT_LT(optimal, product({geometric(0.5)}));
  // The references' single draw, with independent signs.
  EXPECT_LT(2 * optimal, product({geometric(0.5), Scheme::Draws::kPerBatch}));
}

TEST_F(TrainedTable, InfiniteVarianceIsWarnedOf) {
  const auto warnings = [](const RussianRoulette& law) {
    std::vector<std::string> out;
    trained(law, &out);
    return out;
  };
  EXPECT_TRUE(warnings({.law = RouletteLaw::kOptimal}).empty());
  EXPECT_TRUE(warnings({.geometric_p = 0.15}).empty());
  for (const RussianRoulette& law :
       {RussianRoulette{.geometric_p = 0.5}, RussianRoulette{.law = RouletteLaw::kPoisson}}) {
    const std::vector<std::string> got = warnings(law);
    ASSERT_EQ(got.size(), 1U);
    EXPECT_NE(got[0].find("4 blocks"), std::string::npos) << got[0];
  }
}

}  // namespace
}  // namespace contraflow
