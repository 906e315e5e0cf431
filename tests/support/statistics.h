#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace contraflow::testing {

/// The mean of `values` lies within `errors` of its own standard errors of `expected`. At a fixed
/// seed this passes or fails for good; 4.5 errors happen to an honest seed once in 150,000 draws.
inline ::testing::AssertionResult z_test(const at::Tensor& values, double expected,
                                         double errors = 4.5) {
  const at::Tensor v = values.detach().to(at::kDouble).flatten();
  const double mean = v.mean().item<double>();
  const double error = v.std().item<double>() / std::sqrt(static_cast<double>(v.numel()));
  const double z = (mean - expected) / error;
  if (std::abs(z) <= errors) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "mean " << mean << " +- " << error << " against " << expected << ": " << z << " errors";
}

/// Points of the midpoint grid of `cells` per axis on [lower, upper]^dim: [cells^dim, dim].
inline at::Tensor midpoint_grid(double lower, double upper, int64_t cells, int64_t dim) {
  const double step = (upper - lower) / static_cast<double>(cells);
  const at::Tensor axis = lower + step * (at::arange(cells, at::kDouble) + 0.5);
  const std::vector<at::Tensor> axes(static_cast<size_t>(dim), axis);
  return at::stack(at::meshgrid(axes, "ij"), -1).reshape({-1, dim});
}

}  // namespace contraflow::testing
