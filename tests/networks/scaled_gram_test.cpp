#include "contraflow/networks/scaled_gram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "contraflow/kernels/isa.h"
#include "tests/kernels/dense_matrices.h"
#include "tests/networks/random_layers.h"

namespace contraflow {
namespace {

ScaledGram gram_of(const at::Tensor& w) {
  return w.scalar_type() == at::kFloat
             ? scaled_gram(w.const_data_ptr<float>(), w.size(0), w.size(1))
             : scaled_gram(w.const_data_ptr<double>(), w.size(0), w.size(1));
}

// A matrix with these singular values.
at::Tensor with_values(int64_t rows, int64_t cols, const at::Tensor& values) {
  const auto [u, s, v] =
      at::linalg_svd(Rng(5).normal({rows, cols}, at::kDouble), /*full_matrices=*/false);
  return u.mm(values.diag()).mm(v).contiguous();
}

TEST(ScaledGram, ProvesWhatIsAboveTheNormAndNothingBelow) {
  for (const int64_t n : testing::dense_sizes()) {
    at::Tensor flat = at::ones({n}, at::kDouble), rank_one = at::zeros({n}, at::kDouble);
    rank_one[0] = 1.0;
    const at::Tensor random = Rng(6).uniform({n}, at::kDouble);
    for (const at::Tensor& values : {flat, rank_one, random / random.max()}) {
      for (const auto& [rows, cols] : {std::pair{n, n + 5}, {n + 5, n}}) {
        const at::Tensor unit = with_values(rows, cols, values);
        for (const double size : {1.0, 1e150, 1e-150, 1e-290, 1e290}) {
          for (const std::string& isa : kernels::available_isas()) {
            const kernels::ScopedIsa pin(isa);
            const ScaledGram gram = gram_of(unit * size);
            const double square = std::pow(size / gram.scale, 2);
            const std::string what = c10::str(isa, " ", rows, "x", cols, " ", size);
            EXPECT_TRUE(gram.proves(square * (1 + 1e-6))) << what;
            EXPECT_FALSE(gram.proves(square * (1 - 1e-6))) << what;
            EXPECT_NEAR(gram.trace / square, values.square().sum().item<double>(), 1e-9) << what;
          }
        }
      }
    }
  }
}

TEST(ScaledGram, TheShiftCoversTheRounding) {
  // The largest eigenvalue of the identity is 1 exactly: no c up to it may be proven.
  for (const int64_t n : testing::dense_sizes()) {
    EXPECT_FALSE(gram_of(at::eye(n, at::kDouble)).proves(1.0)) << n;
    const ScaledGram ones = gram_of(at::full({n, n}, 3.0, at::kDouble));
    EXPECT_FALSE(ones.proves(std::pow(3.0 / ones.scale * static_cast<double>(n), 2))) << n;
  }
}

TEST(ScaledGram, ZeroAndNonFiniteWeightsAreNotUsable) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    at::Tensor w = at::zeros({40, 33}, type);
    EXPECT_FALSE(gram_of(w).usable());
    EXPECT_EQ(gram_of(w).scale, 0.0);
    EXPECT_FALSE(gram_of(at::zeros({0, 3}, type)).usable());
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      w[39][32] = bad;
      EXPECT_FALSE(gram_of(w).usable());
      EXPECT_TRUE(std::isnan(gram_of(w).scale));
    }
    w[39][32] = type == at::kFloat ? 1e-45 : 5e-324;  // the least number
    EXPECT_TRUE(gram_of(w).usable());
    EXPECT_GT(gram_of(w).trace, 0.0);
  }
}

TEST(ScaledGram, ThePairIsLeftAndRight) {
  for (const auto& [rows, cols] : {std::pair{70, 40}, {40, 70}, {3, 129}}) {
    const at::Tensor w = Rng(2).normal({rows, cols}, at::kDouble);
    const auto [u, s, v] = at::linalg_svd(w, /*full_matrices=*/false);
    const at::Tensor left = at::empty({rows}, at::kDouble), right = at::empty({cols}, at::kDouble);
    const ScaledGram gram = gram_of(w);
    const at::Tensor start = (gram.is_right ? v.select(0, 0) : u.select(1, 0)).contiguous();
    ASSERT_TRUE(gram.set_unit(start.const_data_ptr<double>()));
    gram.write_pair(left.data_ptr<double>(), right.data_ptr<double>());
    EXPECT_LT((w.mv(right) - s[0] * left).norm().item<double>(), 1e-12);
    EXPECT_LT((w.t().mv(left) - s[0] * right).norm().item<double>(), 1e-12);
  }
}

}  // namespace
}  // namespace contraflow
