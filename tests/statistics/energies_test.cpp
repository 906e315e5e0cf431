// The toy densities u1 to u4 are exp(-U)/Z of the energies of their names.
#include "contraflow/distributions/energies.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/data/toy.h"

namespace contraflow {
namespace {

constexpr int64_t kRows = 200'000;
constexpr int64_t kCells = 48;
constexpr double kHalf = 6.0;

// Chi-square of counts of `x` on a grid against the density of `kind`, as a normal deviate.
double deviate(EnergyKind kind, const at::Tensor& x) {
  // Probabilities by 16 midpoints in every direction of a cell.
  constexpr int64_t kFine = 16;
  constexpr double kStep = 2 * kHalf / (kCells * kFine);
  const at::Tensor axis = -kHalf + kStep * (at::arange(kCells * kFine, at::kDouble) + 0.5);
  const at::Tensor density =
      at::exp(-energy(kind, at::cartesian_prod({axis, axis})) - log_normaliser(kind)) * kStep *
      kStep;
  const at::Tensor expected =
      density.view({kCells, kFine, kCells, kFine}).sum({1, 3}).flatten() * kRows;
  const at::Tensor cell = ((x + kHalf) * (kCells / (2 * kHalf))).floor().clamp(0, kCells - 1);
  const at::Tensor flat = (cell.select(1, 0) * kCells + cell.select(1, 1)).to(at::kLong);
  const at::Tensor counts = at::bincount(flat, {}, kCells * kCells).to(at::kDouble);
  const at::Tensor full = expected > 5;
  const at::Tensor terms = ((counts - expected).square() / expected).masked_select(full);
  const auto freedom = static_cast<double>(terms.numel());
  return (terms.sum().item<double>() - freedom) / std::sqrt(2 * freedom);
}

TEST(EnergySamples, HaveTheDensityOfTheEnergy) {
  for (const auto& [name, kind] : enum_names(EnergyKind{})) {
    EXPECT_EQ(find_energy(name), kind);
    const at::Tensor x = data::sample_toy(data::toy_density(name), Rng(11), kRows, at::kDouble);
    EXPECT_LT(deviate(kind, x), 4.5) << name;
    EXPECT_GT(deviate(kind, x * 1.02), 9.0) << name << ": 2 % off must show";
    const at::Tensor loss = energy(kind, x) + log_normaliser(kind);
    EXPECT_NEAR(loss.mean().item<double>(), data::toy_density(name).entropy.value(),
                4.5 * loss.std().item<double>() / std::sqrt(kRows))
        << name;
    const double box = data::toy_density(name).box;
    EXPECT_LT((x.abs() > box).any(1).to(at::kDouble).mean().item<double>(), 1e-3) << name;
  }
  EXPECT_EQ(find_energy("moons"), std::nullopt);
}

}  // namespace
}  // namespace contraflow
