#include "contraflow/kernels/cholesky.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"

namespace contraflow {
namespace {

// A symmetric matrix whose smallest eigenvalue is `least`.
at::Tensor matrix_with_least(int64_t n, double least) {
  const at::Tensor q = std::get<0>(at::linalg_qr(Rng(n).normal({n, n}, at::kDouble)));
  at::Tensor values = Rng(7).uniform({n}, at::kDouble) + 1.0;
  values[n / 2] = least;
  const at::Tensor a = q.mm(at::diag(values)).mm(q.t());
  return (a + a.t()) / 2;
}

TEST(Cholesky, SucceedsExactlyOnPositiveMatricesWithEveryInstructionSet) {
  for (const std::string& isa : kernels::available_isas()) {
    const kernels::ScopedIsa pin(isa);
    for (const int64_t n : {1, 2, 7, 8, 9, 65, 130}) {
      const at::Tensor good = matrix_with_least(n, 1e-6);
      EXPECT_TRUE(kernels::cholesky_succeeds(good.clone().data_ptr<double>(), n)) << isa << n;
      const at::Tensor bad = matrix_with_least(n, -1e-6);
      EXPECT_FALSE(kernels::cholesky_succeeds(bad.clone().data_ptr<double>(), n)) << isa << n;
    }
  }
}

TEST(Cholesky, NanAndZeroAreNoPivots) {
  double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(kernels::cholesky_succeeds(&nan, 1));
  double zero = 0.0;
  EXPECT_FALSE(kernels::cholesky_succeeds(&zero, 1));
}

}  // namespace
}  // namespace contraflow
