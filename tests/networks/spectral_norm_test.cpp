#include "contraflow/networks/spectral_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "tests/networks/random_layers.h"

namespace contraflow {
namespace {

using testing::Layer;
using testing::random_layers;

constexpr double kMostSlackOfBounds = 1.01;

class ProvenNorm : public ::testing::TestWithParam<NormMethod> {};

TEST_P(ProvenNorm, BoundsTheSvdFromBothSidesWithUnderOnePercentSlack) {
  for (const Layer& layer : random_layers()) {
    const double norm = testing::svd_norm(layer.weight);
    const NormBounds bounds = spectral_norm_bounds(layer.weight, {}, GetParam());
    // The SVD itself is accurate to a few units in the last place.
    EXPECT_GE(bounds.upper, norm * (1 - 1e-14)) << layer.name << layer.weight.sizes();
    EXPECT_LE(bounds.lower, norm * (1 + 1e-14)) << layer.name << layer.weight.sizes();
    EXPECT_LE(bounds.upper, norm * kMostSlackOfBounds) << layer.name << layer.weight.sizes();
    EXPECT_GE(bounds.lower, norm / kMostSlackOfBounds) << layer.name << layer.weight.sizes();
  }
}

TEST_P(ProvenNorm, AWarmStartFromAWrongVectorIsStillABound) {
  // The start is the second singular vector: the iteration is content there, the proof is not.
  const at::Tensor w = at::diag(at::tensor({1.0, 2.0, 5.0}, at::kDouble));
  const NormBounds bounds =
      spectral_norm_bounds(w, at::tensor({0.0, 1.0, 0.0}, at::kDouble), GetParam());
  EXPECT_GE(bounds.upper, 5.0);
  EXPECT_LE(bounds.upper, 5.0 * kMostSlackOfBounds);
}

INSTANTIATE_TEST_SUITE_P(Methods, ProvenNorm,
                         ::testing::Values(NormMethod::kCholesky, NormMethod::kGram),
                         [](const auto& test) {
                           return test.param == NormMethod::kGram ? "gram" : "cholesky";
                         });

TEST(SpectralNorm, WideMatricesAreBoundedToo) {
  for (const auto& [o, i] : {std::pair{192, 300}, {300, 211}, {33, 129}, {128, 128}}) {
    for (const double size : {1.0, 1e150, 1e-150}) {
      const at::Tensor w = Rng(1).normal({o, i}, at::kDouble) * size;
      const double norm = testing::svd_norm(w);
      const NormBounds cold = spectral_norm_bounds(w, {}, NormMethod::kCholesky);
      const NormBounds warm = spectral_norm_bounds(w, cold.right, NormMethod::kCholesky);
      for (const NormBounds& bounds : {cold, warm}) {
        EXPECT_GE(bounds.upper, norm * (1 - 1e-14));
        EXPECT_LE(bounds.lower, norm * (1 + 1e-14));
        EXPECT_LE(bounds.upper, bounds.lower * 1.003);  // one raise of 0.1 %, and the tolerance
      }
    }
  }
}

TEST(SpectralNorm, UpdatesFollowWeightsThatTrainingMoves) {
  for (const std::string& isa : kernels::available_isas()) {
    const kernels::ScopedIsa pin(isa);
    for (const auto& [o, i] : {std::pair{128, 128}, {66, 90}, {150, 80}, {20, 20}}) {
      at::Tensor w = Rng(1).normal({o, i}, at::kFloat) * 0.1;
      at::Tensor left = at::zeros({o}, at::kDouble), right = at::zeros({i}, at::kDouble);
      for (uint64_t step = 0; step < 10; ++step) {
        const NormInterval bounds =
            update_spectral_norm(w, left, right, NormMethod::kCholesky, 1e-3);
        const double norm = testing::svd_norm(w);
        EXPECT_GE(bounds.upper, norm) << isa << o << "x" << i << " step " << step;
        EXPECT_LE(bounds.lower, norm) << isa << o << "x" << i << " step " << step;
        EXPECT_LE(bounds.upper, bounds.lower * 1.003) << isa << o << "x" << i << " step " << step;
        const double along = left.dot(w.to(at::kDouble).mv(right)).item<double>();
        EXPECT_GE(along, bounds.lower * (1 - 1e-9)) << isa << o << "x" << i << " step " << step;
        EXPECT_LE(along, norm * (1 + 1e-9)) << isa << o << "x" << i << " step " << step;
        w += Rng(2).fork(step).normal({o, i}, at::kFloat) * 1e-3;
      }
    }
  }
}

TEST(SpectralNorm, UpdatesTakeOtherTypesAndLayouts) {
  const at::Tensor w = Rng(1).normal({40, 70}, at::kDouble);
  const auto update = [](const at::Tensor& weight) {
    at::Tensor left = at::zeros({weight.size(0)}, at::kDouble);
    at::Tensor right = at::zeros({weight.size(1)}, at::kDouble);
    return update_spectral_norm(weight, left, right, NormMethod::kCholesky, 1e-3);
  };
  EXPECT_NEAR(update(w.t()).upper, update(w).upper, 1e-9);
  const at::Tensor half = w.to(at::kHalf);
  EXPECT_GE(update(half).upper, testing::svd_norm(half));
}

TEST(SpectralNorm, ZeroAndNonFiniteWeights) {
  EXPECT_EQ(spectral_norm_bounds(at::zeros({3, 4}), {}, NormMethod::kCholesky).upper, 0.0);
  const at::Tensor bad = at::full({2, 2}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  EXPECT_THROW(spectral_norm_bounds(bad, {}, NormMethod::kCholesky), NumericsError);
  for (const int64_t n : {3, 33, 128}) {
    for (const float value :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      at::Tensor w = at::ones({n, n}), left = at::ones({n}, at::kDouble), right = left.clone();
      w[n - 1][n - 2] = value;
      EXPECT_THROW(update_spectral_norm(w, left, right, NormMethod::kCholesky, 1e-3),
                   NumericsError);
      const NormInterval zero =
          update_spectral_norm(at::zeros({n, n}), left, right, NormMethod::kCholesky, 1e-3);
      EXPECT_EQ(zero.upper, 0.0);
      EXPECT_EQ(left.abs().sum().item<double>(), 0.0);
    }
  }
}

TEST(LipschitzLinear, DriftKeepsTheBoundValidBetweenRefreshes) {
  LipschitzLinear layer({.inputs = 20, .outputs = 12, .cap = 0.9, .refresh_every = 10});
  layer.initialise(Rng(1), 3.0);
  at::Tensor weight = layer.named_parameters()["weight"];
  for (uint64_t step = 0; step < 35; ++step) {
    {
      at::NoGradGuard guard;
      weight.add_(Rng(2).fork(step).normal(weight.sizes(), at::kDouble).to(weight.options()), 3e-3);
    }
    layer.refresh(false);
    const double norm = testing::svd_norm(weight);
    EXPECT_GE(layer.bounds().upper, norm);
    EXPECT_LE(layer.bounds().lower, norm);
    EXPECT_LE(testing::svd_norm(layer.effective_weight()), 0.9);
  }
}

}  // namespace
}  // namespace contraflow
