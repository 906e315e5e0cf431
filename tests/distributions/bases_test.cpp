#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <numbers>

#include "contraflow/bases/base_registry.h"
#include "tests/support/derivatives.h"
#include "tests/support/statistics.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::midpoint_grid;
using testing::near;
using testing::z_test;

constexpr int64_t kDraws = 200'000;

/// A base in float64 whose parameters, if any, are away from their starting values.
BasePtr make_moved(const BaseEntry& entry, int64_t dim) {
  const BasePtr base = make_base(with_type(entry.name, entry.sample(dim)));
  base->to(at::kDouble);
  const at::NoGradGuard no_grad;
  uint64_t k = 0;
  for (at::Tensor& p : base->parameters()) {
    p.add_(0.4 * Rng(31).fork(k++).normal(p.sizes(), at::kDouble));
  }
  return base;
}

class BaseLaw : public ::testing::TestWithParam<const BaseEntry*> {
 protected:
  BasePtr moved(int64_t dim) const { return make_moved(*GetParam(), dim); }
};

std::vector<const BaseEntry*> entries() {
  std::vector<const BaseEntry*> out;
  for (const BaseEntry& entry : base_registry()) out.push_back(&entry);
  return out;
}

INSTANTIATE_TEST_SUITE_P(, BaseLaw, ::testing::ValuesIn(entries()),
                         [](const auto& test) { return test.param->name; });

// The range holds all but 1e-13 of each density; the grid's ends meet those of the uniform.
TEST_P(BaseLaw, IntegratesToOne) {
  const double step1 = 68.0 / 34'000;
  const at::Tensor line = midpoint_grid(-34.0, 34.0, 34'000, 1);
  EXPECT_NEAR(moved(1)->log_prob(line).exp().sum().item<double>() * step1, 1.0, 1e-7);
  const double step2 = 40.0 / 800;
  const at::Tensor plane = midpoint_grid(-20.0, 20.0, 800, 2);
  EXPECT_NEAR(moved(2)->log_prob(plane).exp().sum().item<double>() * step2 * step2, 1.0, 1e-6);
}

// First and second moments of the samples against those of the density on a grid.
TEST_P(BaseLaw, SamplesFollowTheDensity) {
  const BasePtr base = moved(2);
  const double cell = 0.05 * 0.05;
  const at::Tensor grid = midpoint_grid(-20.0, 20.0, 800, 2);
  const at::Tensor weight = base->log_prob(grid).exp().detach() * cell;
  const at::Tensor x = base->sample(kDraws, Rng(6)).detach();
  const auto expect = [&](const auto& function) {
    EXPECT_TRUE(z_test(function(x), (function(grid) * weight).sum().template item<double>()));
  };
  for (const int64_t j : {0, 1}) {
    expect([j](const at::Tensor& v) { return v.select(1, j); });
    expect([j](const at::Tensor& v) { return v.select(1, j).square(); });
    expect([j](const at::Tensor& v) { return v.select(1, j).tanh().pow(3); });
  }
  expect([](const at::Tensor& v) { return v.select(1, 0) * v.select(1, 1); });
}

TEST_P(BaseLaw, SamplesHaveFiniteDensityInBothTypes) {
  const BasePtr base = make_base(with_type(GetParam()->name, GetParam()->sample(3)));
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    base->to(dtype);
    const at::Tensor z = base->sample(1000, Rng(7));
    EXPECT_EQ(z.scalar_type(), dtype);
    EXPECT_TRUE(at::isfinite(base->log_prob(z)).all().item<bool>());
  }
}

TEST_P(BaseLaw, RowsOfASampleDoNotDependOnTheCount) {
  const BasePtr base = moved(3);
  const at::Tensor whole = base->sample(10, Rng(8));
  EXPECT_TRUE(at::equal(whole.slice(0, 4), base->sample(6, Rng(8).rows_from(4))));
  EXPECT_FALSE(at::equal(whole, base->sample(10, Rng(9))));
}

TEST_P(BaseLaw, GradientsMatchDifferences) {
  const BasePtr base = moved(2);
  const at::Tensor z = (0.3 * Rng(10).normal({6, 2}, at::kDouble)).requires_grad_(true);
  const at::Tensor weight = Rng(11).normal({6}, at::kDouble);
  const auto loss = [&] { return (weight * base->log_prob(z)).sum(); };
  std::vector<at::Tensor> leaves = base->parameters();
  leaves.push_back(z);
  const auto gradients = torch::autograd::grad({loss()}, leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    for (uint64_t k = 0; k < 3; ++k) {
      const at::Tensor direction = Rng(12).fork(k).normal(leaves[i].sizes(), at::kDouble);
      const double expected =
          testing::central_difference([&] { return loss().item<double>(); }, leaves[i], direction);
      EXPECT_NEAR((gradients[i] * direction).sum().item<double>(), expected, 1e-7);
    }
    const bool flat = GetParam()->name == "uniform";
    EXPECT_EQ(gradients[i].norm().item<double>() > 0.0, !flat) << "leaf " << i;
  }
}

TEST_P(BaseLaw, OptionsRoundTrip) {
  const auto resolved = resolve_base(with_type(GetParam()->name, GetParam()->sample(2)));
  EXPECT_EQ(resolved, resolve_base(resolved));
  const BasePtr a = make_base(resolved);
  const BasePtr b = make_base(with_type(GetParam()->name, GetParam()->sample(2)));
  EXPECT_TRUE(at::equal(a->sample(5, Rng(1)), b->sample(5, Rng(1))));
}

TEST_P(BaseLaw, BadArgumentsAreErrors) {
  const BasePtr base = moved(2);
  const at::Tensor z = at::zeros({3, 2}, at::kDouble);
  EXPECT_THAT(error_of<ShapeError>([&] { base->log_prob(z[0]); }), HasSubstr("[Base.log_prob] z"));
  EXPECT_THAT(error_of<ShapeError>([&] { base->log_prob(z.slice(0, 0, 0)); }),
              HasSubstr("at least one row"));
  EXPECT_THAT(error_of<DtypeError>([&] { base->log_prob(z.to(at::kFloat)); }),
              HasSubstr("expected double"));
  EXPECT_THAT(error_of<ShapeError>([&] { base->sample(0, Rng(1)); }), HasSubstr("count"));
  for (const double bad : {0.0, -1.0, std::nan("")}) {
    EXPECT_THAT(error_of<DomainError>([&] { base->sample(3, Rng(1), bad); }),
                HasSubstr("temperature"));
  }
  EXPECT_THAT(error_of<ConfigError>([&] {
                make_base({{"type", GetParam()->name}}, "config");
              }),
              HasSubstr("[config] event"));
}

at::Tensor point(double a, double b) { return at::tensor({a, b}, at::kDouble).unsqueeze(0); }

double log_prob_at(const nlohmann::ordered_json& spec, const at::Tensor& z) {
  const BasePtr base = make_base(spec);
  base->to(at::kDouble);
  return base->log_prob(z).item<double>();
}

TEST(Bases, MatchClosedForms) {
  const double log_2pi = std::log(2.0 * std::numbers::pi);
  EXPECT_NEAR(log_prob_at({{"type", "normal"}, {"event", 2}}, point(1, -2)), -2.5 - log_2pi,
              kRounding);
  EXPECT_NEAR(log_prob_at({{"type", "diagonal_normal"}, {"event", 2}}, point(1, -2)),
              -2.5 - log_2pi, kRounding);
  const auto logistic = [](double z) { return -z - 2.0 * std::log1p(std::exp(-z)); };
  EXPECT_NEAR(log_prob_at({{"type", "logistic"}, {"event", 2}}, point(1, -2)),
              logistic(1) + logistic(-2), kRounding);
  EXPECT_NEAR(log_prob_at({{"type", "logistic"}, {"event", 2}}, point(5000, -5000)), -10'000, 1e-8);
  EXPECT_NEAR(
      log_prob_at({{"type", "uniform"}, {"event", 2}, {"lower", -1}, {"upper", 3}}, point(3, 0)),
      -2.0 * std::log(4.0), kRounding);
  EXPECT_EQ(log_prob_at({{"type", "uniform"}, {"event", 2}}, point(0.5, 1.5)), -INFINITY);
}

TEST(Bases, MixtureMatchesItsSum) {
  const BasePtr base = make_moved(*entries()[4], 2);
  const auto named = base->named_parameters();
  const at::Tensor weights = named["logits"].softmax(0);
  const at::Tensor z = point(0.3, -0.7);
  double density = 0.0;
  for (int64_t k = 0; k < 3; ++k) {
    const at::Tensor scale = named["log_scale"][k].exp();
    const at::Tensor noise = (z[0] - named["location"][k]) / scale;
    density +=
        (weights[k] * (-0.5 * noise.square().sum()).exp() / (2.0 * std::numbers::pi * scale.prod()))
            .item<double>();
  }
  EXPECT_NEAR(base->log_prob(z).item<double>(), std::log(density), kRounding);
}

// The temperature scales deviations about the centre and leaves the centre alone.
TEST(Bases, TemperatureScalesTheSpread) {
  for (const BaseEntry* entry : entries()) {
    const BasePtr base = make_moved(*entry, 2);
    const at::Tensor warm = base->sample(kDraws, Rng(13)).detach();
    const at::Tensor cold = base->sample(kDraws, Rng(13), 1e-6).detach();
    const at::Tensor half = base->sample(kDraws, Rng(13), 0.5).detach();
    EXPECT_TRUE(near(half, 0.5 * (warm + cold), 1e-5)) << entry->name;
    if (entry->name == "normal_mixture") continue;
    EXPECT_LT(cold.std(0).max().item<double>(), 1e-5) << entry->name;
  }
}

// At temperature near 0 a mixture draws its locations, as often as its weights say.
TEST(Bases, ColdMixtureShowsItsWeights) {
  const BasePtr base = make_moved(*entries()[4], 2);
  const auto named = base->named_parameters();
  const at::Tensor weights = named["logits"].softmax(0);
  const at::Tensor cold = base->sample(kDraws, Rng(14), 1e-9).detach();
  for (int64_t k = 0; k < 3; ++k) {
    const at::Tensor hits = (cold - named["location"][k]).abs().amax(1).lt(1e-6);
    EXPECT_TRUE(z_test(hits, weights[k].item<double>())) << "component " << k;
  }
}

TEST(Bases, MixtureSeedMovesTheStart) {
  const auto location = [](int64_t seed) {
    const BasePtr base = make_base({{"type", "normal_mixture"}, {"event", 2}, {"seed", seed}});
    return base->named_parameters()["location"];
  };
  EXPECT_TRUE(at::equal(location(1), location(1)));
  EXPECT_FALSE(at::equal(location(1), location(2)));
}

TEST(Bases, ContradictoryBoundsAreAConfigError) {
  EXPECT_THAT(error_of<ConfigError>([] {
                make_base({{"type", "uniform"}, {"event", 1}, {"upper", -1}});
              }),
              HasSubstr("upper"));
  EXPECT_THAT(error_of<ConfigError>([] {
                make_base({{"type", "norml"}, {"event", 1}});
              }),
              HasSubstr("Did you mean 'normal'?"));
}

}  // namespace
}  // namespace contraflow
