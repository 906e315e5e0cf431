#include "contraflow/data/toy.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/data/message.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Gt;
using ::testing::Lt;

constexpr int64_t kRows = 1'000'000;
// The reference moments come from this many rows (PAPERS: 6e7 samples each).
constexpr double kReferenceRows = 6e7;
// 56 moments and 8 histograms are tested: an honest seed exceeds this once in 3,000 draws.
constexpr double kMaxZ = 4.5;

json golden_numbers(const char* name) {
  std::ifstream in(std::string(CONTRAFLOW_TEST_DATA) + "/toy/" + name);
  return json::parse(in);
}

at::Tensor draw(const std::string& name, uint64_t seed = 7) {
  return sample_toy(toy_density(name), Rng(seed), kRows, at::kDouble);
}

// Distance of the mean of `values` from `expected` in standard errors.
double z_score(const at::Tensor& values, double expected) {
  const double variance = values.var().item<double>();
  const double error = std::sqrt(variance / kRows + variance / kReferenceRows);
  return std::abs(values.mean().item<double>() - expected) / error;
}

// Largest z-score over mean, covariance and fourth moments about zero.
double worst_moment(const at::Tensor& x, const json& reference) {
  const at::Tensor mean = at::tensor(reference["mean"].get<std::vector<double>>(), at::kDouble);
  const at::Tensor centred = x - mean;
  double worst = 0.0;
  for (int64_t i = 0; i < 2; ++i) {
    const at::Tensor c = centred.select(1, i);
    const auto n = static_cast<size_t>(i);
    worst = std::max(worst, z_score(c, 0.0));
    worst = std::max(worst,
                     z_score(x.select(1, i).pow(4), reference["fourth_moment"][n].get<double>()));
    for (int64_t j = i; j < 2; ++j) {
      worst = std::max(worst, z_score(c * centred.select(1, j),
                                      reference["covariance"][n][static_cast<size_t>(j)]));
    }
  }
  return worst;
}

// Two-sample chi-square of counts on a grid, as a normal deviate.
double histogram_deviate(const at::Tensor& x, const std::string& name) {
  static const json reference = golden_numbers("histograms.json");
  const auto cells = reference["cells"].get<int64_t>();
  const auto edge = reference["edge"].get<double>();
  const at::Tensor cell =
      ((x + edge) / (2.0 * edge) * static_cast<double>(cells)).floor().to(at::kLong);
  const at::Tensor inside = cell.ge(0).logical_and(cell.lt(cells)).all(1);
  const at::Tensor flat = (cell.select(1, 0) * cells + cell.select(1, 1)).masked_select(inside);
  const at::Tensor ours = at::bincount(flat, {}, cells * cells).to(at::kDouble);
  const at::Tensor theirs =
      at::tensor(reference["counts"][name].get<std::vector<int64_t>>(), at::kLong).to(at::kDouble);
  const double ratio = std::sqrt(reference["rows"].get<double>() / kRows);
  const at::Tensor total = ours + theirs;
  const at::Tensor terms = (ours * ratio - theirs / ratio).square() / total.clamp_min(1.0);
  const double freedom = static_cast<double>((total > 0).sum().item<int64_t>());
  return (terms.sum().item<double>() - freedom) / std::sqrt(2.0 * freedom);
}

class ToyReference : public ::testing::TestWithParam<std::string> {};

TEST_P(ToyReference, MomentsAgree) {
  const json reference = golden_numbers("moments_and_entropy.json")[GetParam()];
  const at::Tensor x = draw(GetParam());
  EXPECT_LT(worst_moment(x, reference), kMaxZ);
}

TEST_P(ToyReference, MomentsRejectAScaleThatIsOnePercentOff) {
  const json reference = golden_numbers("moments_and_entropy.json")[GetParam()];
  EXPECT_GT(worst_moment(draw(GetParam()) * 1.01, reference), 2.0 * kMaxZ);
  EXPECT_GT(worst_moment(draw(GetParam()) * 0.99, reference), 2.0 * kMaxZ);
}

TEST_P(ToyReference, HistogramAgreesWithTheNumpyGenerator) {
  EXPECT_LT(histogram_deviate(draw(GetParam()), GetParam()), kMaxZ);
}

TEST_P(ToyReference, HistogramRejectsAScaleThatIsOnePercentOff) {
  EXPECT_GT(histogram_deviate(draw(GetParam()) * 1.01, GetParam()), 2.0 * kMaxZ);
}

TEST_P(ToyReference, EntropyAgrees) {
  const auto expected =
      golden_numbers("moments_and_entropy.json")[GetParam()]["entropy_nats"].get<double>();
  EXPECT_NEAR(toy_density(GetParam()).entropy.value(), expected,
              1e-4);  // four digits are published
}

INSTANTIATE_TEST_SUITE_P(, ToyReference,
                         ::testing::Values("swissroll", "circles", "rings", "moons", "8gaussians",
                                           "pinwheel", "2spirals", "checkerboard"),
                         [](const auto& test) {
                           return std::string(::isdigit(test.param[0]) != 0 ? "n" : "") +
                                  test.param;
                         });

// -log density of a ring of radius R with isotropic noise s, at x [n, 2].
at::Tensor ring_loss(const at::Tensor& x, const at::Tensor& radius, double s) {
  const at::Tensor r = x.norm(2, 1);
  return 0.5 * ((r - radius) / s).square() + std::log(2.0 * M_PI * s * s) -
         at::special_i0e(r * radius / (s * s)).log();
}

TEST(ToyLabel, EntropiesGivenTheLabelAreThoseOfTheParts) {
  const auto mean_loss = [](const std::string& name, const auto& loss) {
    const at::Tensor rows = sample_toy_rows(toy_density(name), Rng(7), kRows, at::kDouble);
    return z_score(loss(rows.narrow(1, 0, 2), rows.select(1, 2)),
                   toy_density(name).entropy_given_label.value());
  };
  // Four published digits: rounding by 5e-5 is a twentieth of the standard error of the mean.
  EXPECT_LT(mean_loss("rings",
                      [](const at::Tensor& x, const at::Tensor& label) {
                        return ring_loss(x, 0.75 * (label + 1.0), 0.08);
                      }),
            kMaxZ);
  EXPECT_LT(mean_loss("circles",
                      [](const at::Tensor& x, const at::Tensor& label) {
                        return ring_loss(x, 3.0 - 1.5 * label, 0.24);
                      }),
            kMaxZ);
  EXPECT_LT(
      mean_loss("8gaussians",
                [](const at::Tensor& x, const at::Tensor& label) {
                  const double s = 0.5 / 1.414;
                  const at::Tensor angle = 0.25 * M_PI * label;
                  const at::Tensor mean = at::stack({angle.cos(), angle.sin()}, 1) * (4.0 / 1.414);
                  return 0.5 * ((x - mean) / s).square().sum(1) + std::log(2.0 * M_PI * s * s);
                }),
      kMaxZ);
  // The other label of the circles must not pass.
  EXPECT_GT(mean_loss("circles",
                      [](const at::Tensor& x, const at::Tensor& label) {
                        return ring_loss(x, 1.5 + 1.5 * label, 0.24);
                      }),
            kMaxZ);
}

// H(x) <= H(label) + H(x | label), and nearly equal where the parts hardly overlap.
TEST(ToyLabel, EntropiesAddUp) {
  constexpr double kRounding = 1e-3, kOverlap = 0.01;
  for (const ToyDensity& density : toy_densities()) {
    EXPECT_EQ(density.entropy_given_label.has_value(), density.labels > 1) << density.name;
    if (!density.entropy_given_label) continue;
    const double sum = *density.entropy_given_label + std::log(static_cast<double>(density.labels));
    EXPECT_GT(sum, *density.entropy - kRounding) << density.name;
    EXPECT_LT(sum, *density.entropy + kOverlap) << density.name;
  }
}

TEST(ToyLabel, RowsAreTheSamplesWithEquallyLikelyLabels) {
  for (const ToyDensity& density : toy_densities()) {
    const at::Tensor rows = sample_toy_rows(density, Rng(3), 20'000, at::kFloat);
    EXPECT_EQ(rows.size(1), static_cast<int64_t>(toy_columns(density).size())) << density.name;
    EXPECT_TRUE(rows.narrow(1, 0, 2).equal(sample_toy(density, Rng(3), 20'000, at::kFloat)));
    if (density.labels == 1) continue;
    const at::Tensor counts = at::bincount(rows.select(1, 2).to(at::kLong));
    ASSERT_EQ(counts.size(0), density.labels) << density.name;
    const double expected = 20'000.0 / static_cast<double>(density.labels);
    EXPECT_LT((counts - expected).abs().max().item<double>(), 5.0 * std::sqrt(expected))
        << density.name;
  }
}

TEST(ToyLabel, SquaresOfTheCheckerboardAreItsLabels) {
  const at::Tensor rows = sample_toy_rows(toy_density("checkerboard"), Rng(2), 5000, at::kDouble);
  for (int64_t label = 0; label < 8; ++label) {
    const at::Tensor x = rows.index_select(0, rows.select(1, 2).eq(label).nonzero().squeeze(1));
    const at::Tensor cells = (x.narrow(1, 0, 2) / 2.0).floor();
    EXPECT_TRUE(cells.eq(cells[0]).all().item<bool>()) << label;
  }
}

TEST(Toy, CheckerboardStaysOnItsEightCells) {
  const at::Tensor x = draw("checkerboard");
  const at::Tensor cell = (x / 2.0).floor();  // each from -2 to 1
  EXPECT_TRUE(cell.ge(-2).logical_and(cell.le(1)).all().item<bool>());
  EXPECT_TRUE(cell.sum(1).remainder(2.0).eq(0.0).all().item<bool>());
}

TEST(Toy, LineAndCosLieOnTheirCurves) {
  const at::Tensor line = draw("line");
  EXPECT_TRUE(line.select(1, 0).equal(line.select(1, 1)));
  const at::Tensor cos = draw("cos");
  EXPECT_TRUE(cos.select(1, 1).allclose(cos.select(1, 0).sin() * 2.5, 0.0, 1e-15));
  for (const at::Tensor& x : {line.select(1, 0), cos.select(1, 0)}) {
    EXPECT_THAT(x.min().item<double>(), AllOf(Gt(-2.5), Lt(-2.4999)));
    EXPECT_THAT(x.max().item<double>(), AllOf(Lt(2.5), Gt(2.4999)));
    EXPECT_NEAR(x.var().item<double>(), 25.0 / 12.0, 0.01);
  }
  EXPECT_FALSE(toy_density("line").entropy.has_value());
  EXPECT_FALSE(toy_density("cos").entropy.has_value());
}

TEST(Toy, RowsDependOnTheirNumberNotOnTheSplit) {
  for (const ToyDensity& density : toy_densities()) {
    const Rng rng(3);
    const at::Tensor whole = sample_toy(density, rng, 1000, at::kFloat);
    const at::Tensor first = sample_toy(density, rng, 137, at::kFloat);
    const at::Tensor rest = sample_toy(density, rng.rows_from(137), 863, at::kFloat);
    EXPECT_TRUE(whole.equal(at::cat({first, rest}))) << density.name;
    EXPECT_FALSE(whole.equal(sample_toy(density, Rng(4), 1000, at::kFloat))) << density.name;
    EXPECT_TRUE(whole.equal(sample_toy(density, rng, 1000, at::kDouble).to(at::kFloat)));
  }
}

TEST(Toy, NeighbouringRowsAreIndependent) {
  const at::Tensor x = draw("checkerboard").select(1, 1);
  const at::Tensor product = x.narrow(0, 0, kRows - 1) * x.narrow(0, 1, kRows - 1);
  EXPECT_LT(z_score(product, 0.0), kMaxZ);
}

TEST(Toy, NearlyAllSamplesAreInsideOfThePlottedBox) {
  for (const ToyDensity& density : toy_densities()) {
    const at::Tensor x = sample_toy(density, Rng(1), 100'000, at::kDouble);
    const auto outside = x.abs().gt(density.box).any(1).sum().item<int64_t>();
    EXPECT_LT(outside, 100) << density.name;
  }
}

TEST(Toy, ZeroRowsAreAnEmptyTensor) {
  EXPECT_EQ(sample_toy(toy_density("moons"), Rng(1), 0, at::kFloat).sizes(),
            at::IntArrayRef({0, 2}));
}

TEST(Toy, ErrorsNameWhatIsWrong) {
  using contraflow::testing::expect_error;
  expect_error<ConfigError>([] { toy_density("chekerboard"); },
                            {"'chekerboard'", "Did you mean 'checkerboard'?"});
  expect_error<ShapeError>([] { sample_toy(toy_density("moons"), Rng(1), -1, at::kFloat); },
                           {"count", "-1"});
  expect_error<DtypeError>([] { sample_toy(toy_density("moons"), Rng(1), 1, at::kLong); },
                           {"float32 or float64", "Long"});
}

}  // namespace
}  // namespace contraflow::data
