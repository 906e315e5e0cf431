#include "contraflow/networks/small_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "contraflow/networks/lipschitz_linear.h"
#include "tests/networks/random_layers.h"

namespace contraflow {
namespace {

using testing::Layer;
using testing::svd_norm;

// The layers that small_norm_bounds() takes.
std::vector<Layer> small_layers() {
  std::vector<Layer> out = testing::random_layers();
  std::erase_if(out, [](const Layer& layer) {
    return std::min(layer.weight.size(0), layer.weight.size(1)) > kSmallNormSide;
  });
  return out;
}

constexpr double kMostSlack = 1.01;
// What the SVD itself and a square root are off by.
constexpr double kRounding = 1e-14;
constexpr double kTolerance = 1e-3;

struct Pair {
  at::Tensor left, right;
};

// The top singular pair of w, moved by `noise` in a random direction.
Pair pair_near(const at::Tensor& w, double noise) {
  const auto [u, s, v] = at::linalg_svd(w.to(at::kDouble), /*full_matrices=*/false);
  const auto moved = [&](const at::Tensor& top, uint64_t seed) {
    const at::Tensor direction = Rng(seed).normal(top.sizes(), at::kDouble);
    const at::Tensor sum = top + noise * direction / direction.norm();
    return (sum / sum.norm()).contiguous();
  };
  return {moved(u.select(1, 0), 1), moved(v.select(0, 0), 2)};
}

std::optional<NormInterval> small(const at::Tensor& w, Pair& pair, NormMethod method,
                                  double tolerance = kTolerance) {
  const auto run = [&](const auto* data) {
    return small_norm_bounds(data, w.size(0), w.size(1), pair.left.data_ptr<double>(),
                             pair.right.data_ptr<double>(), method, tolerance);
  };
  return w.scalar_type() == at::kFloat ? run(w.const_data_ptr<float>())
                                       : run(w.const_data_ptr<double>());
}

TEST(SmallNorm, BoundsTheSvdFromBothSidesFromGoodAndBadStarts) {
  int64_t found = 0, asked = 0;
  for (const Layer& layer : small_layers()) {
    const at::Tensor w = layer.weight.contiguous();
    const double norm = svd_norm(w);
    for (const double noise : {0.0, 1e-3, 0.1, 10.0}) {
      Pair pair = pair_near(w, noise);
      const auto bounds = small(w, pair, NormMethod::kCholesky);
      ++asked;
      if (!bounds) continue;
      ++found;
      const std::string what = c10::str(layer.name, w.sizes(), " noise ", noise);
      EXPECT_GE(bounds->upper, norm * (1 - kRounding)) << what;
      EXPECT_LE(bounds->lower, norm * (1 + kRounding)) << what;
      EXPECT_LE(bounds->upper, norm * kMostSlack) << what;
      EXPECT_GE(bounds->lower, norm / kMostSlack) << what;
    }
  }
  EXPECT_EQ(found, asked);  // each miss costs a LibTorch eigensolver
}

TEST(SmallNorm, AgreesWithTheTensorPath) {
  for (const Layer& layer : small_layers()) {
    const at::Tensor w = layer.weight.contiguous();
    constexpr double kTight = 1e-7;
    Pair pair = pair_near(w, 1e-2);
    const auto ours = small(w, pair, NormMethod::kCholesky, kTight);
    const NormBounds theirs = spectral_norm_bounds(w, {}, NormMethod::kCholesky, kTight);
    ASSERT_TRUE(ours.has_value()) << layer.name << w.sizes();
    EXPECT_NEAR(ours->upper / theirs.upper, 1, 4 * kTight) << layer.name << w.sizes();
    EXPECT_NEAR(ours->lower / theirs.lower, 1, 4 * kTight) << layer.name << w.sizes();
  }
}

TEST(SmallNorm, ThePairIsATopSingularPair) {
  for (const Layer& layer : small_layers()) {
    const at::Tensor w = layer.weight.contiguous();
    Pair pair = pair_near(w, 0.1);
    const auto bounds = small(w, pair, NormMethod::kCholesky, 1e-6);
    ASSERT_TRUE(bounds.has_value()) << layer.name << w.sizes();
    const at::Tensor unit = w.to(at::kDouble) / bounds->lower;
    EXPECT_NEAR(pair.left.norm().item<double>(), 1, kRounding);
    EXPECT_NEAR(pair.right.norm().item<double>(), 1, kRounding);
    // The residual of W^T W, a sum of at most two such.
    EXPECT_LT((unit.mv(pair.right) - pair.left).norm().item<double>(), 2e-6) << layer.name;
    EXPECT_LT((unit.t().mv(pair.left) - pair.right).norm().item<double>(), 2e-6) << layer.name;
  }
}

TEST(SmallNorm, AStartThatIsALowerSingularVectorProvesNothingFalse) {
  const at::Tensor w = at::diag(at::tensor({1.0, 2.0, 5.0}, at::kDouble));
  const at::Tensor second = at::tensor({0.0, 1.0, 0.0}, at::kDouble);
  Pair pair{second.clone(), second.clone()};
  const auto bounds = small(w, pair, NormMethod::kCholesky);
  if (bounds) {
    EXPECT_GE(bounds->upper, 5.0);
  } else {
    EXPECT_TRUE(pair.left.equal(second));
    EXPECT_TRUE(pair.right.equal(second));
  }
  const NormInterval updated =
      update_spectral_norm(w, pair.left, pair.right, NormMethod::kCholesky, kTolerance);
  EXPECT_GE(updated.upper, 5.0);
  EXPECT_LE(updated.upper, 5.0 * kMostSlack);
  EXPECT_NEAR(pair.left[2].abs().item<double>(), 1.0, kTolerance);
}

TEST(SmallNorm, LeavesToTheTensorPathWhatIsNotItsOwn) {
  const auto declines = [](const at::Tensor& w, double start, NormMethod method) {
    Pair pair{at::full({w.size(0)}, start, at::kDouble), at::full({w.size(1)}, start, at::kDouble)};
    const bool none = !small(w, pair, method).has_value();
    return none && pair.left.eq(start).all().item<bool>() &&
           pair.right.eq(start).all().item<bool>();
  };
  const at::Tensor w = Rng(1).normal({4, 6}, at::kDouble);
  EXPECT_FALSE(declines(w, 1.0, NormMethod::kCholesky));
  EXPECT_FALSE(declines(w, 1.0, NormMethod::kEstimated));
  EXPECT_TRUE(declines(w, 1.0, NormMethod::kGram));
  EXPECT_TRUE(declines(w, 0.0, NormMethod::kCholesky));
  EXPECT_TRUE(declines(at::zeros_like(w), 1.0, NormMethod::kCholesky));
  EXPECT_TRUE(declines(w * 1e-120, 1.0, NormMethod::kCholesky));
  EXPECT_TRUE(declines(at::ones({kSmallNormSide + 1, kSmallNormSide + 1}, at::kDouble), 1.0,
                       NormMethod::kCholesky));
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    at::Tensor spoilt = w.clone();
    spoilt[1][2] = bad;
    EXPECT_TRUE(declines(spoilt, 1.0, NormMethod::kCholesky));
    EXPECT_TRUE(declines(spoilt.to(at::kFloat), 1.0, NormMethod::kEstimated));
  }
}

TEST(SmallNorm, FollowsWeightsThatTrainingMoves) {
  for (const auto& [o, i] : {std::pair{8, 2}, {8, 34}, {2, 50}, {40, 40}}) {
    at::Tensor w = Rng(1).normal({o, i}, at::kFloat) * 0.3;
    Pair pair = pair_near(w, 0.0);
    for (uint64_t step = 0; step < 50; ++step) {
      w += Rng(2).fork(step).normal({o, i}, at::kFloat) * 3e-3;
      const auto bounds = small(w, pair, NormMethod::kCholesky);
      ASSERT_TRUE(bounds.has_value()) << o << "x" << i << " step " << step;
      EXPECT_GE(bounds->upper, svd_norm(w));
      EXPECT_LE(bounds->lower, svd_norm(w));
    }
  }
}

}  // namespace
}  // namespace contraflow
