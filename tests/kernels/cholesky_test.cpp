#include "contraflow/kernels/cholesky.h"

#include <gtest/gtest.h>

#include <limits>

#include "contraflow/kernels/isa.h"
#include "tests/kernels/dense_matrices.h"

namespace contraflow {
namespace {

using testing::dense_sizes;
using testing::HeldMatrix;
using testing::with_spectrum;

// Spectra with the largest eigenvalue 1, [n] each.
std::vector<std::pair<std::string, at::Tensor>> spectra(int64_t n) {
  const auto top = [n](at::Tensor values) {
    values[n / 2] = 1.0;
    return values;
  };
  return {{"uniform", top(Rng(7).uniform({n}, at::kDouble))},
          {"rank one", top(at::zeros({n}, at::kDouble))},
          {"clustered", top(1 - 1e-9 * Rng(8).uniform({n}, at::kDouble))}};
}

bool succeeds(const at::Tensor& g, double shift) {
  const HeldMatrix held(g), factor(g.size(0), g.size(0));
  return kernels::cholesky_succeeds(held.matrix, shift, factor.matrix);
}

TEST(Cholesky, SucceedsExactlyAboveTheSpectrumWithEveryInstructionSet) {
  for (const int64_t n : dense_sizes()) {
    for (const auto& [name, values] : spectra(n)) {
      const at::Tensor g = with_spectrum(values);
      for (const std::string& isa : kernels::available_isas()) {
        const kernels::ScopedIsa pin(isa);
        for (const double scale : {1.0, 1e-150, 1e150}) {
          const std::string what = c10::str(isa, " ", n, " ", name, " ", scale);
          EXPECT_TRUE(succeeds(g * scale, scale * (1 + 1e-6))) << what;
          EXPECT_FALSE(succeeds(g * scale, scale * (1 - 1e-6))) << what;
        }
      }
    }
  }
}

TEST(Cholesky, TheFactorIsAFactor) {
  for (const std::string& isa : kernels::available_isas()) {
    const kernels::ScopedIsa pin(isa);
    for (const int64_t n : dense_sizes()) {
      const at::Tensor g = with_spectrum(spectra(n)[0].second);
      const HeldMatrix held(g), factor(n, n);
      ASSERT_TRUE(kernels::cholesky_succeeds(held.matrix, 1.5, factor.matrix)) << isa << n;
      const at::Tensor r = factor.values().triu();
      const at::Tensor error = r.t().mm(r) - (1.5 * at::eye(n, at::kDouble) - g);
      EXPECT_LT(error.abs().max().item<double>(), 1e-14) << isa << n;
    }
  }
}

TEST(Cholesky, NanAndZeroAreNoPivots) {
  for (const std::string& isa : kernels::available_isas()) {
    const kernels::ScopedIsa pin(isa);
    for (const int64_t n : {1, 8, 13}) {
      for (int64_t k = 0; k < n; ++k) {
        at::Tensor g = at::zeros({n, n}, at::kDouble);
        g[k][k] = 1.0;
        EXPECT_FALSE(succeeds(g, 1.0)) << isa << n << " " << k;
        EXPECT_TRUE(succeeds(g, 1.5)) << isa << n << " " << k;
        g[k][n - 1] = std::numeric_limits<double>::quiet_NaN();
        EXPECT_FALSE(succeeds(g, 1.5)) << isa << n << " " << k;
      }
    }
  }
}

}  // namespace
}  // namespace contraflow
