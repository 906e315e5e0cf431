#include "contraflow/core/rng.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/rng_tensors.h"

namespace contraflow {
namespace {

// Known-answer vectors of the reference implementation (Random123, kat_vectors).
TEST(Philox, KnownAnswers) {
  const auto zeros = Rng(0).words(0, 0);
  EXPECT_EQ(zeros, (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const auto ones = Rng(~uint64_t{0}).words(-1, ~uint64_t{0});
  EXPECT_EQ(ones, (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Rng, SplitBatchDrawsWhatTheWholeBatchDraws) {
  const Rng rng = Rng(7).fork("noise").fork(3);
  const at::Tensor whole = rng.normal({10, 3}, at::kDouble);
  const at::Tensor tail = rng.rows_from(4).normal({6, 3}, at::kDouble);
  EXPECT_TRUE(at::equal(whole.slice(0, 4), tail));
}

// What a device draws, on tensors of the host.
TEST(RngTensors, DrawWhatTheHostDraws) {
  const Rng rng = Rng(0xFEDCBA9876543210).fork("device").rows_from((int64_t{1} << 40) - 2);
  const at::Tensor words = words_on_tensors(rng, 5, 3, at::kCPU);
  for (int64_t r = 0; r < 5; ++r) {
    for (int64_t b = 0; b < 3; ++b) {
      const auto want = rng.words(rng.first_row() + r, static_cast<uint64_t>(b));
      for (int64_t k = 0; k < 4; ++k)
        EXPECT_EQ(words[r][b][k].item<int64_t>(), int64_t{want[static_cast<size_t>(k)]});
    }
  }
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const std::vector<int64_t>& sizes :
         {std::vector<int64_t>{7}, {6, 5}, {3, 2, 130}, {4, 1}}) {
      const at::TensorOptions options = at::TensorOptions().dtype(type);
      EXPECT_TRUE(at::allclose(uniform_on_tensors(rng, sizes, options), rng.uniform(sizes, options),
                               0.0, type == at::kFloat ? 0x1p-24 : 0.0));
      EXPECT_TRUE(
          at::equal(rademacher_on_tensors(rng, sizes, options), rng.rademacher(sizes, options)));
      EXPECT_TRUE(at::allclose(normal_on_tensors(rng, sizes, options), rng.normal(sizes, options),
                               0.0, type == at::kFloat ? 1e-6 : 1e-14));
    }
  }
}

TEST(Rng, ForksDiffer) {
  const Rng rng(7);
  EXPECT_NE(rng.fork(1).key(), rng.fork(2).key());
  EXPECT_NE(rng.fork("a").key(), rng.fork("b").key());
  EXPECT_EQ(rng.fork("a").key(), rng.fork("a").key());
}

TEST(Rng, NormalHasTheMomentsOfANormal) {
  constexpr int64_t kCount = 400'000;
  const at::Tensor x = Rng(11).normal({kCount, 2}, at::kDouble);
  // Five standard errors: mean 1/sqrt(n), variance sqrt(2/n), fourth moment sqrt(96/n).
  const double n = 2.0 * kCount;
  EXPECT_NEAR(x.mean().item<double>(), 0.0, 5.0 / std::sqrt(n));
  EXPECT_NEAR(x.pow(2).mean().item<double>(), 1.0, 5.0 * std::sqrt(2.0 / n));
  EXPECT_NEAR(x.pow(4).mean().item<double>(), 3.0, 5.0 * std::sqrt(96.0 / n));
  EXPECT_NEAR((x.select(1, 0) * x.select(1, 1)).mean().item<double>(), 0.0,
              5.0 / std::sqrt(kCount));
}

TEST(Rng, UniformStaysInsideTheOpenInterval) {
  const at::Tensor u = Rng(3).uniform({1'000'000}, at::kFloat);
  EXPECT_GT(u.min().item<float>(), 0.0F);
  EXPECT_LT(u.max().item<float>(), 1.0F);
  EXPECT_NEAR(u.to(at::kDouble).mean().item<double>(), 0.5, 5.0 * std::sqrt(1.0 / 12.0 / 1e6));
}

TEST(Rng, RademacherIsFairSignsThatDoNotDependOnTheSplit) {
  constexpr int64_t kRows = 20'000, kColumns = 131;  // more than the 128 signs of one block
  const at::Tensor x = Rng(9).rademacher({kRows, kColumns}, at::kDouble);
  EXPECT_TRUE(x.abs().eq(1.0).all().item<bool>());
  // Five standard errors of the mean of each column, and of the product of each pair of columns.
  const double bound = 5.0 / std::sqrt(kRows);
  EXPECT_LT(x.mean(0).abs().max().item<double>(), bound);
  const at::Tensor products = (x.t().mm(x) / kRows).fill_diagonal_(0.0);
  EXPECT_LT(products.abs().max().item<double>(), 1.2 * bound);  // 8,515 pairs: six errors
  const at::Tensor neighbours = x.narrow(0, 0, kRows - 1) * x.narrow(0, 1, kRows - 1);
  EXPECT_LT(neighbours.mean(0).abs().max().item<double>(), bound);
  EXPECT_TRUE(x.equal(Rng(9).rademacher({kRows, kColumns}, at::kFloat).to(at::kDouble)));
  EXPECT_TRUE(
      x.narrow(0, 7, 50).equal(Rng(9).rows_from(7).rademacher({50, kColumns}, at::kDouble)));
  // The first columns are the same however many there are.
  EXPECT_TRUE(x.narrow(1, 0, 43).equal(Rng(9).rademacher({kRows, 43}, at::kDouble)));
}

TEST(Rng, DrawsAreTheSameBitsForAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  const auto draw = [](int threads) {
    at::set_num_threads(threads);
    return at::cat({Rng(1).normal({20'000, 3}, at::kFloat), Rng(1).uniform({20'000, 3}, at::kFloat),
                    Rng(1).rademacher({20'000, 3}, at::kFloat)});
  };
  const at::Tensor one = draw(1);
  EXPECT_TRUE(draw(2).equal(one));
  EXPECT_TRUE(draw(3).equal(one));
  at::set_num_threads(before);
}

TEST(Rng, PermutationIsOne) {
  const at::Tensor p = Rng(5).permutation(1000);
  EXPECT_TRUE(at::equal(std::get<0>(p.sort()), at::arange(1000)));
  EXPECT_FALSE(at::equal(p, at::arange(1000)));
}

}  // namespace
}  // namespace contraflow
