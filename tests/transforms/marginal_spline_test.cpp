#include "contraflow/transforms/marginal_spline.h"

#include <numbers>

#include "contraflow/core/rng.h"
#include "contraflow/transforms/marginal_fit.h"
#include "contraflow/transforms/marginal_knots.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

// Columns: normal, Cauchy, a lattice of step 1/4 with its noise, three values in five exactly 0.
at::Tensor table_rows(int64_t rows, uint64_t seed) {
  const Rng rng(seed);
  const at::Tensor normal = rng.fork("normal").normal({rows, 1}, at::kDouble) * 2.0 + 5.0;
  const at::Tensor cauchy =
      ((rng.fork("cauchy").uniform({rows, 1}, at::kDouble) - 0.5) * std::numbers::pi).tan();
  const at::Tensor step = (rng.fork("step").uniform({rows, 1}, at::kDouble).square() * 12).floor();
  const at::Tensor lattice = (step + rng.fork("noise").uniform({rows, 1}, at::kDouble)) * 0.25;
  const at::Tensor level = rng.fork("level").uniform({rows, 1}, at::kDouble);
  const at::Tensor atom = at::where(level.lt(0.6), 0.0, level.log().neg());
  return at::cat({normal, cauchy, lattice, atom}, 1);
}

MarginalSpline prepared_spline(std::vector<int64_t> knots, at::ScalarType type = at::kDouble) {
  MarginalSpline map({.event = 4, .knots = std::move(knots)});
  map.to(type);
  map.prepare(table_rows(4000, 1).to(type));
  return map;
}

void move_parameters(MarginalSpline& map, double size) {
  const at::NoGradGuard no_grad;
  uint64_t k = 0;
  for (at::Tensor& p : map.parameters()) {
    p.copy_(Rng(7).fork(k++).normal(p.sizes(), at::kDouble) * size);
  }
}

TEST(MarginalSpline, ZeroKnotsAreMeanAndDeviation) {
  const at::Tensor x = table_rows(1000, 3);
  MarginalSpline map({.event = 4, .knots = {0}});
  map.to(at::kDouble);
  map.prepare(x);
  const TransformOutput out = map.forward(x);
  EXPECT_TRUE(near(out.value, (x - x.mean(0)) / x.std(0), 1e-12));
  EXPECT_NEAR(out.log_det[0].item<double>(), -x.std(0).log().sum().item<double>(), 1e-12);
}

TEST(MarginalSpline, IsTheIdentityBeforeItHasSeenData) {
  MarginalSpline map({.event = 2, .knots = {0, 16}});
  map.to(at::kDouble);
  const at::Tensor x = Rng(1).normal({20, 2}, at::kDouble) * 100.0;
  EXPECT_TRUE(near(map.forward(x).value, x, 1e-12));
  EXPECT_TRUE(near(map.inverse(x).value, x, 1e-12));
  EXPECT_TRUE(near(map.forward(x).log_det, at::zeros({20}, at::kDouble), 1e-12));
  EXPECT_TRUE(map.prepare_needs_data());
}

// 99 values: knots at ranks are scored (r - 1/2) / n.
TEST(MarginalFit, HeightsAreNormalScores) {
  const at::Tensor sorted = at::arange(99, at::kDouble).exp2();
  const MarginalFit fit = fit_marginal(sorted, 2, 1e-16);
  ASSERT_EQ(fit.place.size(), 2U);
  // A quarter of the values a knot, at most 16, stay beyond the outer ones.
  EXPECT_EQ(fit.place[0], std::exp2(16.0));
  EXPECT_EQ(fit.place[1], std::exp2(82.0));
  const double score = at::special_ndtri(at::tensor({16.5 / 99.0}, at::kDouble)).item<double>();
  EXPECT_NEAR(fit.height[0], score, 1e-12);
  EXPECT_NEAR(fit.height[1], -score, 1e-12);
}

TEST(MarginalFit, EqualValuesShareTheirMiddleRank) {
  const at::Tensor sorted =
      at::cat({at::full({500}, -1.0, at::kDouble), at::zeros({300}, at::kDouble),
               at::linspace(1.0, 2.0, 200, at::kDouble)});
  const MarginalFit fit = fit_marginal(sorted, 20, 1e-16);
  EXPECT_EQ(fit.place[0], -1.0);
  EXPECT_EQ(fit.place[1], 0.0);
  EXPECT_EQ(fit.place[2] >= 1.0, true);
  const at::Tensor scores = at::special_ndtri(at::tensor({0.25, 0.65}, at::kDouble));
  EXPECT_NEAR(fit.height[0], scores[0].item<double>(), 1e-12);
  EXPECT_NEAR(fit.height[1], scores[1].item<double>(), 1e-12);
}

TEST(MarginalFit, KnotsAreAsManyAsAskedWhereThereAreValues) {
  const at::Tensor sorted = std::get<0>(Rng(2).normal({20'000}, at::kDouble).sort());
  for (const int64_t knots : {2, 3, 8, 64, 400, 1999})
    EXPECT_EQ(std::ssize(fit_marginal(sorted, knots, 1e-16).place), knots);
}

TEST(MarginalFit, OfNormalNumbersIsNearlyTheIdentity) {
  const at::Tensor sorted = std::get<0>(Rng(2).normal({100'000}, at::kDouble).sort());
  const MarginalFit fit = fit_marginal(sorted, 32, 1e-16);
  for (double x = -2.0; x <= 2.0; x += 0.25) {
    EXPECT_NEAR(curve_forward(fit.view(), x).value, x, 0.045);  // five errors of a quantile
    EXPECT_NEAR(curve_forward(fit.view(), x).log_slope, 0.0, 0.25);
  }
}

// Their logarithm grows like -log d, a normal density's like -d^2: the weight finds it.
TEST(MarginalFit, HeavyTailsGetWeight) {
  const at::Tensor u = (at::arange(4000, at::kDouble) + 0.5) / 4000.0;
  const MarginalFit heavy = fit_marginal(((u - 0.5) * std::numbers::pi).tan(), 16, 1e-16);
  const MarginalFit light = fit_marginal(at::special_ndtri(u), 16, 1e-16);
  EXPECT_GT(heavy.right, 0.5);
  EXPECT_GT(heavy.left, 0.5);
  EXPECT_LT(light.right, 0.1);
  EXPECT_LT(light.left, 0.1);
}

// Every column by itself, between places whose scores are 1/4000 apart: Simpson's rule on each.
TEST(MarginalSpline, DensitiesIntegrateToOne) {
  constexpr double kSimpson = 1e-6;
  const at::Tensor rows = table_rows(4000, 1);
  for (int64_t column = 0; column < 4; ++column) {
    MarginalSpline map({.event = 1, .knots = {30 * column}});
    map.to(at::kDouble);
    map.prepare(rows.slice(1, column, column + 1));
    move_parameters(map, 0.3);
    const at::Tensor ends =
        map.inverse(at::linspace(-9.0, 9.0, 72'001, at::kDouble).unsqueeze(1)).value;
    const at::Tensor low = ends.slice(0, 0, -1), high = ends.slice(0, 1);
    const auto density = [&](const at::Tensor& x) {
      const TransformOutput out = map.forward(x);
      return (out.log_det - 0.5 * out.value.select(1, 0).square()).exp();
    };
    const at::Tensor mean = (density(low) + 4.0 * density((low + high) / 2) + density(high)) / 6.0;
    const double integral = (mean * (high - low).select(1, 0)).sum().item<double>();
    EXPECT_NEAR(integral / std::sqrt(2.0 * std::numbers::pi), 1.0, kSimpson) << column;
  }
}

TEST(MarginalSpline, FarAndNearPointsComeBack) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const MarginalSpline map = prepared_spline({0, 200, 100, 12}, type);
    const at::Tensor rows = table_rows(3000, 9);
    const at::Tensor far = at::tensor({1e6, -1e6, 1e3, -1e3}, at::kDouble).unsqueeze(1);
    const at::Tensor x = at::cat({rows, far.expand({4, 4}),
                                  map.named_buffers()["place"]
                                      .to(at::kDouble)
                                      .slice(0, 1, 201)
                                      .unsqueeze(1)
                                      .expand({200, 4})})
                             .to(type);
    const TransformOutput out = map.forward(x);
    EXPECT_TRUE(at::isfinite(out.value).all().item<bool>());
    EXPECT_TRUE(at::isfinite(out.log_det).all().item<bool>());
    const at::Tensor leaf = x.clone().requires_grad_(true);
    map.forward(leaf).value.sum().backward();
    const TransformOutput back = map.inverse(out.value);
    // A rounding of x, and one of z through the slope of the curve there.
    const double epsilon = type == at::kFloat ? 0x1p-23 : 0x1p-50;
    const at::Tensor reach = x.abs() + 1.0 + (out.value.abs() + 1.0) / leaf.grad();
    EXPECT_LT(((back.value - x).abs() / reach).max().item<double>(), epsilon);
    EXPECT_TRUE(near(back.log_det, out.log_det.neg(), type == at::kFloat ? 1e-3 : 1e-9));
  }
}

TEST(MarginalSpline, Float32AgreesWithFloat64) {
  const MarginalSpline wide = prepared_spline({0, 64, 100, 12});
  const MarginalSpline narrow = prepared_spline({0, 64, 100, 12}, at::kFloat);
  const at::Tensor x = table_rows(500, 5).to(at::kFloat);
  EXPECT_TRUE(near(narrow.forward(x).value, wide.forward(x.to(at::kDouble)).value, 1e-4));
  EXPECT_TRUE(near(narrow.forward(x).log_det, wide.forward(x.to(at::kDouble)).log_det, 1e-3));
}

TEST(MarginalSpline, AnyParametersGiveAMonotoneMap) {
  for (const double size : {0.3, 30.0, 1e8}) {
    MarginalSpline map = prepared_spline({0, 64, 20, 12});
    move_parameters(map, size);
    const at::Tensor x = std::get<0>(table_rows(2000, 6).sort(0));
    const TransformOutput out = map.forward(x);
    EXPECT_TRUE(at::isfinite(out.value).all().item<bool>()) << size;
    EXPECT_TRUE(at::isfinite(out.log_det).all().item<bool>()) << size;
    EXPECT_TRUE(out.value.diff(1, 0).ge(0.0).all().item<bool>()) << size;
  }
}

TEST(MarginalSpline, NearlyConstantColumnsAreFinite) {
  at::Tensor x = at::full({1000, 3}, 7.0, at::kDouble);
  x[0][0] = 8.0;  // one other value
  x.slice(0, 0, 3).select(1, 1).copy_(at::tensor({-1e9, 6.0, 1e9}, at::kDouble));
  x.select(1, 2).add_(Rng(1).normal({1000}, at::kDouble) * 1e-13);  // rounding, not data
  for (const int64_t knots : {0, 4, 100}) {
    MarginalSpline map({.event = 3, .knots = {knots}});
    map.to(at::kDouble);
    map.prepare(x);
    const TransformOutput out = map.forward(x);
    EXPECT_TRUE(at::isfinite(out.value).all().item<bool>()) << knots;
    EXPECT_TRUE(at::isfinite(out.log_det).all().item<bool>()) << knots;
    EXPECT_TRUE(near(map.inverse(out.value).value, x, 1e-9)) << knots;
  }
}

TEST(MarginalSpline, RefusesWhatItCannotFit) {
  MarginalSpline map({.event = 2, .knots = {8}});
  map.to(at::kDouble);
  at::Tensor x = Rng(1).normal({100, 2}, at::kDouble);
  x.select(1, 1).fill_(0.1);
  EXPECT_THAT(error_of<DomainError>([&] { map.prepare(x); }),
              HasSubstr("the constant 0.1 in column 1"));
  x[3][1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(error_of<DomainError>([&] { map.prepare(x); }), HasSubstr("row 3, column 1"));
  EXPECT_THAT(error_of<ConfigError>([] { MarginalSpline({.event = 2, .knots = {1}}); }),
              HasSubstr("0, or 2 and more"));
  EXPECT_THAT(error_of<ConfigError>([] {
                MarginalSpline({.event = 3, .knots = {4, 8}});
              }),
              HasSubstr("1 or 3 values, got 2 values"));
  EXPECT_THAT(error_of<ConfigError>([] {
                MarginalSpline({.event = {1, 4, 4}});
              }),
              HasSubstr("columns of a row"));
}

TEST(MarginalKnots, FineCurvesForFineColumnsOnly) {
  const MarginalKnots found = choose_marginal_knots(table_rows(8000, 1), table_rows(4000, 2));
  EXPECT_EQ(found.knots[0], 0);   // normal already
  EXPECT_GE(found.knots[1], 4);   // heavy tails
  EXPECT_GE(found.knots[2], 16);  // 12 steps
  ASSERT_EQ(found.trials.size(), 4U);
  EXPECT_EQ(found.trials[0].back().knots, 800);  // a tenth of the rows
  for (const std::vector<MarginalTrial>& column : found.trials) {
    EXPECT_EQ(column[0].knots, 0);
    for (const MarginalTrial& trial : column) EXPECT_TRUE(std::isfinite(trial.log_prob.mean));
  }
  EXPECT_GT(found.trials[1][3].gain.mean + found.trials[1][1].gain.mean, 1.0);  // nats
}

// The chosen curve of a uniform column: -log(width) is the best there is.
TEST(MarginalKnots, HeldOutLikelihoodsAreThoseOfTheMap) {
  const at::Tensor train = Rng(1).uniform({8000, 1}, at::kDouble) * 3.0;
  const at::Tensor validation = Rng(2).uniform({4000, 1}, at::kDouble) * 3.0;
  const MarginalKnots found = choose_marginal_knots(train, validation, {.candidates = {0, 16}});
  MarginalSpline map({.event = 1, .knots = {16}});
  map.to(at::kDouble);
  map.prepare(train);
  const TransformOutput out = map.forward(validation);
  const at::Tensor log_prob =
      out.log_det - 0.5 * out.value.select(1, 0).square() - 0.5 * std::log(2.0 * std::numbers::pi);
  EXPECT_NEAR(found.trials[0][1].log_prob.mean, log_prob.mean().item<double>(), 1e-9);
  EXPECT_NEAR(found.trials[0][1].log_prob.mean, -std::log(3.0), 0.05);
  EXPECT_LT(found.trials[0][0].log_prob.mean, -std::log(3.0) - 0.1);
  EXPECT_THAT(found.knots, ElementsAre(16));
}

TEST(MarginalKnots, RefusesOtherCandidatesAndRows) {
  const at::Tensor x = table_rows(100, 1);
  EXPECT_THAT(error_of<ConfigError>([&] {
                choose_marginal_knots(x, x, {.candidates = {4, 8}});
              }),
              HasSubstr("0, then increasing"));
  EXPECT_THAT(error_of<ShapeError>([&] { choose_marginal_knots(x, x.slice(1, 0, 2)); }),
              HasSubstr("validation"));
  EXPECT_THAT(error_of<DomainError>([&] { choose_marginal_knots(x, x.slice(0, 0, 1)); }),
              HasSubstr("two rows"));
}

}  // namespace
}  // namespace contraflow
