#include "contraflow/networks/spectral_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/core/rng.h"
#include "contraflow/networks/lipschitz_linear.h"

namespace contraflow {
namespace {

constexpr double kMostSlack = 1.01;

struct Layer {
  std::string name;
  at::Tensor weight;
};

// 200 layers of many shapes: Gaussian, orthogonal, rank one, flat with one peak, nearly equal top
// values, tiny and huge scales, constant, zero columns.
std::vector<Layer> random_layers() {
  std::vector<Layer> out;
  const int64_t shapes[][2] = {{1, 1},   {2, 16},  {16, 2},  {8, 8},
                               {33, 20}, {64, 64}, {5, 128}, {128, 40}};
  for (uint64_t k = 0; out.size() < 200; ++k) {
    const auto* shape = shapes[k % 8];
    const int64_t o = shape[0], i = shape[1];
    const int64_t n = std::min(o, i);
    const at::Tensor g = Rng(k).normal({o, i}, at::kDouble);
    const auto [u, s, v] = at::linalg_svd(g, /*full_matrices=*/false);
    const auto with_values = [&, u = u, v = v](const at::Tensor& values) {
      return u.mm(values.diag()).mm(v);
    };
    out.push_back({"gaussian", g});
    out.push_back({"orthogonal", u.mm(v)});
    out.push_back({"rank_one", with_values(at::cat({at::ones({1}, at::kDouble),
                                                    at::zeros({n - 1}, at::kDouble)}))});
    out.push_back({"clustered", with_values(1 - 1e-4 * at::arange(n, at::kDouble) / n)});
    out.push_back({"tiny", g * 1e-30});
    out.push_back({"huge", g * 1e30});
    out.push_back({"constant", at::ones({o, i}, at::kDouble)});
    out.push_back({"float32", g.to(at::kFloat)});
  }
  out.resize(200);
  return out;
}

class ProvenNorm : public ::testing::TestWithParam<NormMethod> {};

TEST_P(ProvenNorm, BoundsTheSvdFromBothSidesWithUnderOnePercentSlack) {
  for (const Layer& layer : random_layers()) {
    const double norm =
        std::get<1>(at::linalg_svd(layer.weight.to(at::kDouble))).max().item<double>();
    const NormBounds bounds = spectral_norm_bounds(layer.weight, {}, GetParam());
    // The SVD itself is accurate to a few units in the last place.
    EXPECT_GE(bounds.upper, norm * (1 - 1e-14)) << layer.name << layer.weight.sizes();
    EXPECT_LE(bounds.lower, norm * (1 + 1e-14)) << layer.name << layer.weight.sizes();
    EXPECT_LE(bounds.upper, norm * kMostSlack) << layer.name << layer.weight.sizes();
    EXPECT_GE(bounds.lower, norm / kMostSlack) << layer.name << layer.weight.sizes();
  }
}

TEST_P(ProvenNorm, AWarmStartFromAWrongVectorIsStillABound) {
  // The start is the second singular vector: the iteration is content there, the proof is not.
  const at::Tensor w = at::diag(at::tensor({1.0, 2.0, 5.0}, at::kDouble));
  const NormBounds bounds =
      spectral_norm_bounds(w, at::tensor({0.0, 1.0, 0.0}, at::kDouble), GetParam());
  EXPECT_GE(bounds.upper, 5.0);
  EXPECT_LE(bounds.upper, 5.0 * kMostSlack);
}

INSTANTIATE_TEST_SUITE_P(Methods, ProvenNorm,
                         ::testing::Values(NormMethod::kCholesky, NormMethod::kGram),
                         [](const auto& test) {
                           return test.param == NormMethod::kGram ? "gram" : "cholesky";
                         });

TEST(SpectralNorm, ZeroAndNonFiniteWeights) {
  EXPECT_EQ(spectral_norm_bounds(at::zeros({3, 4}), {}, NormMethod::kCholesky).upper, 0.0);
  const at::Tensor bad = at::full({2, 2}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  EXPECT_THROW(spectral_norm_bounds(bad, {}, NormMethod::kCholesky), NumericsError);
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
    const auto norm_of = [](const at::Tensor& w) {
      return std::get<1>(at::linalg_svd(w.to(at::kDouble))).max().item<double>();
    };
    const double norm = norm_of(weight.detach());
    EXPECT_GE(layer.bounds().upper, norm);
    EXPECT_LE(layer.bounds().lower, norm);
    EXPECT_LE(norm_of(layer.effective_weight()), 0.9);
  }
}

}  // namespace
}  // namespace contraflow
