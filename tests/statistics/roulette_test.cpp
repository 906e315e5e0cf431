#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/log_det/calibration.h"
#include "contraflow/log_det/exact.h"
#include "contraflow/log_det/log_det.h"
#include "contraflow/log_det/roulette.h"
#include "contraflow/log_det/series.h"
#include "contraflow/networks/net_options.h"
#include "tests/statistics/forms.h"

namespace contraflow {
namespace {

// |z| beyond this happens by chance once in 16,000 tests; the planted errors reach z > 8.
constexpr double kMostSigma = 4.0;
constexpr double kPlantedSigma = 8.0;
constexpr double kPlantedFactor = 1.02;

const BlockForm kMonotone{std::sqrt(0.5), std::sqrt(0.5), std::sqrt(0.5), -std::sqrt(0.5)};

const RussianRoulette kOptimalLaw{.law = RouletteLaw::kOptimal};

struct RouletteCase {
  const char* name;
  BlockForm form;
  RussianRoulette options;
  bool calibrated = false;
  double shift = 0.0;
};

// Nets of constant about .5, where every law below has a finite variance but Poisson, whose
// variance is dominated by terms too rare to meet here.
const RouletteCase kCases[] = {
    {"residual_geometric",
     kResidual,
     {.exact_terms = 1, .law = RouletteLaw::kGeometric, .geometric_p = 0.4}},
    {"monotone_geometric",
     kMonotone,
     {.exact_terms = 0, .law = RouletteLaw::kGeometric, .geometric_p = 0.3}},
    {"residual_poisson",
     kResidual,
     {.exact_terms = 2, .law = RouletteLaw::kPoisson, .poisson_mean = 2.0}},
    {"residual_given",
     kResidual,
     {.exact_terms = 0, .law = RouletteLaw::kGiven, .survival = {1.0, 0.7, 0.5, 0.3}}},
    {"residual_probes", kResidual, {.exact_terms = 1, .probes = 3, .probe = ProbeKind::kGaussian}},
    {"residual_sphere", kResidual, {.exact_terms = 1, .probe = ProbeKind::kSphere}},
    {"residual_shifted", kResidual, {.exact_terms = 1, .geometric_p = 0.3}, false, 0.15},
    {"residual_shifted_down", kResidual, {.exact_terms = 1, .geometric_p = 0.3}, false, -0.1},
    {"monotone_shifted", kMonotone, {.exact_terms = 1, .geometric_p = 0.3}, false, -0.1},
    {"residual_optimal", kResidual, kOptimalLaw, true},
    {"monotone_optimal", kMonotone, kOptimalLaw, true},
    {"residual_optimal_waiting", kResidual, kOptimalLaw},
};

class Roulette : public ::testing::TestWithParam<RouletteCase> {
 protected:
  static constexpr int64_t kDim = 3;

  Roulette() {
    NetOptions options{.kind = NetKind::kDense,
                       .depth = 2,
                       .growth = 8,
                       .activation = Activation::kClipSwish,
                       .lipschitz = 0.6,
                       .init_gain = 3.0};
    net_ = make_net(kDim, 0, options, Rng(5));
    net_->to(at::kDouble);
    law_ = law();
  }

  LogDetEstimate estimate(const BlockForm& form, const at::Tensor& w, const Rng& rng) const {
    const auto point = net_->linearize(w, {});
    return estimate_log_det(form, *point, net_->lipschitz(), GetParam().options, rng, true, &law_);
  }

  TermLaw law() const {
    const RouletteCase& c = GetParam();
    const double kappa = net_->lipschitz();
    TermLaw out = term_law(c.options, c.form, kappa);
    if (c.calibrated) {
      const auto point = net_->linearize(Rng(8).normal({256, kDim}, at::kDouble), {});
      const auto found =
          calibrate(c.form, *point, kappa, c.options, RouletteGoal::kGradient, Rng(9));
      out = *calibrated_law(c.form, kappa, found->shift, found->survival, found->ratio);
    }
    if (c.shift != 0) out.shift = admissible_shift(c.form, kappa, c.shift);
    return out;
  }

  LogDetEstimate exact(const at::Tensor& w) const {
    return exact_log_det(GetParam().form, *net_->linearize(w, {}), true);
  }

  // The form whose series coefficients are 2 % (and more for higher powers) too large.
  BlockForm planted() const {
    BlockForm form = GetParam().form;
    form.d *= kPlantedFactor;
    form.b *= kPlantedFactor;
    return form;
  }

  // sum_b c_b times the gradient of log_det_b, along the exact gradient of the same sum.
  at::Tensor gradient(const at::Tensor& w, const LogDetEstimate& e, const at::Tensor& c) const {
    const auto point = net_->linearize(w, {});
    const NetGradients g = point->gradients({}, e.u * c.view({1, -1, 1}), e.t);
    std::vector<at::Tensor> flat = {g.w.flatten()};
    for (const at::Tensor& p : g.parameters) flat.push_back(p.flatten());
    return at::cat(flat);
  }

  ContractiveNetPtr net_;
  TermLaw law_;
};

double z_score(const at::Tensor& draws, double truth) {
  const double error = draws.std().item<double>() / std::sqrt(static_cast<double>(draws.numel()));
  return (draws.mean().item<double>() - truth) / error;
}

TEST_P(Roulette, MeanIsTheExactLogDetAndAPlantedErrorIsSeen) {
  constexpr int64_t kRows = 300'000;
  const at::Tensor w = at::tensor({0.3, -0.8, 0.5}, at::kDouble).expand({kRows, kDim});
  const double truth = exact(w.narrow(0, 0, 1)).value.item<double>();
  ASSERT_GT(std::abs(truth), 0.05) << "too small a log-det to see 2 %";
  EXPECT_LT(std::abs(z_score(estimate(GetParam().form, w, Rng(1)).value, truth)), kMostSigma);
  EXPECT_GT(std::abs(z_score(estimate(planted(), w, Rng(1)).value, truth)), kPlantedSigma);
}

TEST_P(Roulette, MeanNeumannGradientIsTheExactOneUnderPerSampleWeights) {
  constexpr int64_t kReplicates = 600;
  constexpr int64_t kRows = 64;
  const at::Tensor w = Rng(2).normal({kRows, kDim}, at::kDouble);
  const at::Tensor c = 1 + 0.5 * Rng(3).normal({kRows}, at::kDouble);
  const at::Tensor truth = gradient(w, exact(w), c);
  const at::Tensor direction = truth / truth.norm();
  const auto draws = [&](const BlockForm& form) {
    std::vector<double> out;
    for (int64_t r = 0; r < kReplicates; ++r) {
      const Rng rng = Rng(7).fork(static_cast<uint64_t>(r));
      out.push_back(gradient(w, estimate(form, w, rng), c).dot(direction).item<double>());
    }
    return at::tensor(out, at::kDouble);
  };
  const double length = truth.norm().item<double>();
  EXPECT_LT(std::abs(z_score(draws(GetParam().form), length)), kMostSigma);
  EXPECT_GT(std::abs(z_score(draws(planted()), length)), kPlantedSigma);
}

INSTANTIATE_TEST_SUITE_P(Laws, Roulette, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

// Variance of sum_j t_j 1{j <= N} / P_j for fixed terms t:
// sum_j (T_j^2 - T_{j+1}^2) / P_j - T_1^2, T_j the tail sums.
double variance_of(const std::vector<double>& survival, const std::vector<double>& terms) {
  double tail = 0;  // T_{j+1}
  double sum = 0;
  for (size_t j = std::min(terms.size(), survival.size()); j-- > 0;) {
    const double here = tail + terms[j];
    sum += (here * here - tail * tail) / survival[j];
    tail = here;
  }
  return sum - tail * tail;
}

// In one dimension a Rademacher probe gives v J^k v = J^k: only the roulette is random, and its
// variance has a closed form.
TEST(RouletteVariance, AgreesWithTheFormula) {
  constexpr int64_t kRows = 400'000;
  const ContractiveNetPtr net = make_net(1, 0,
                                         {.kind = NetKind::kSequential,
                                          .hidden = {1},
                                          .activation = Activation::kTanh,
                                          .lipschitz = 0.7,
                                          .init_gain = 6.0},
                                         Rng(4));
  net->to(at::kDouble);
  // Where the slope, and with it the variance, is largest.
  const at::Tensor candidates = at::linspace(-3, 3, 301, at::kDouble).unsqueeze(1);
  const at::Tensor slopes = jacobian(*net->linearize(candidates, {})).flatten();
  const auto best = slopes.abs().argmax().item<int64_t>();
  const double slope = slopes[best].item<double>();
  ASSERT_GT(std::abs(slope), 0.2);
  const auto point = net->linearize(candidates[best].expand({kRows, 1}), {});
  const RussianRoulette options{
      .exact_terms = 1, .law = RouletteLaw::kGeometric, .geometric_p = 0.5};
  std::vector<double> terms;
  for (int k = 1; k <= 200; ++k)
    terms.push_back(series_coefficient(kResidual, k) * std::pow(slope, k));
  const TermLaw law = term_law(options, kResidual, 0.7);
  const double expected = variance_of(law.survival, terms);

  const at::Tensor draws = estimate_log_det(kResidual, *point, 0.7, options, Rng(9), false).value;
  const at::Tensor centred = draws - draws.mean();
  const double variance = centred.pow(2).mean().item<double>();
  const double fourth = centred.pow(4).mean().item<double>();
  const double error = std::sqrt((fourth - variance * variance) / kRows);
  EXPECT_NEAR(variance, expected, kMostSigma * error);
  EXPECT_GT(std::abs(variance - expected * kPlantedFactor * kPlantedFactor), kMostSigma * error)
      << "the test could not tell a wrong variance";
}

TEST(RouletteDraws, SplitBatchDrawsWhatTheWholeDraws) {
  const TermLaw law = term_law(RussianRoulette{}, kResidual, 0.9);
  const at::Tensor whole = draw_term_counts(law.survival, 100, Rng(3));
  const at::Tensor tail = draw_term_counts(law.survival, 40, Rng(3).rows_from(60));
  EXPECT_TRUE(at::equal(whole.slice(0, 60), tail));
}

TEST(RouletteDraws, RowsPerTermAreSpreadEvenly) {
  constexpr int64_t kRows = 512;
  const TermLaw law = term_law(RussianRoulette{.exact_terms = 1}, kResidual, 0.9);
  const at::Tensor counts = draw_term_counts(law.survival, kRows, Rng(8));
  for (int64_t j = 1; j <= 8; ++j) {
    const double expected = kRows * law.survival[static_cast<size_t>(j - 1)];
    const double rows = (counts >= j).sum().item<double>();
    EXPECT_NEAR(rows, expected, std::log2(kRows)) << "term " << j;  // independent draws: up to 23
  }
}

TEST(RouletteOptions, GivenLawIsChecked) {
  EXPECT_THROW(validate(RussianRoulette{.law = RouletteLaw::kGiven}), std::exception);
  EXPECT_THROW(validate(RussianRoulette{.law = RouletteLaw::kGiven, .survival = {0.5, 0.6}}),
               std::exception);
}

}  // namespace
}  // namespace contraflow
