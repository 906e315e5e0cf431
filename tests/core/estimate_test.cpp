#include "contraflow/core/estimate.h"

#include "contraflow/core/number_text.h"
#include "contraflow/core/rng.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using testing::kRounding;

TEST(Estimate, MeanAndErrorOfKnownNumbers) {
  const Estimate e = mean_and_error(at::tensor({1.0, 2.0, 3.0, 6.0}, at::kDouble));
  EXPECT_DOUBLE_EQ(e.mean, 3.0);
  EXPECT_NEAR(e.standard_error, std::sqrt((4.0 + 1.0 + 0.0 + 9.0) / 3.0 / 4.0), kRounding);
  EXPECT_EQ(e.count, 4);
}

TEST(Estimate, EqualValuesHaveNoError) {
  EXPECT_EQ(mean_and_error(at::full({7}, 0.1, at::kFloat)).standard_error, 0.0);
}

TEST(Estimate, Float32ValuesAreSummedInFloat64) {
  const at::Tensor x =
      at::full({1'000'000}, 1e4, at::kFloat) + Rng(1).normal({1'000'000}, at::kFloat);
  EXPECT_NEAR(mean_and_error(x).mean, x.to(at::kDouble).mean().item<double>(), 1e-9);
}

TEST(NumberText, LongNumbersAreWrittenByPowers) {
  EXPECT_EQ(fixed(3.54021), "3.5402");
  EXPECT_EQ(fixed(-999999.0, 1), "-999999.0");
  EXPECT_EQ(fixed(7.0123e9), "7.0123e+09");
  EXPECT_EQ(fixed(1e300, 0), "1.0e+300");
  EXPECT_EQ(with_error({7.0123e9, 12.0, 2}), "7.0123e+09 ± 12.0000");
  EXPECT_EQ(fixed(INFINITY), "inf");
  EXPECT_EQ(brief(0.0), "0");
  EXPECT_EQ(brief(0.0123), "0.0123");
  EXPECT_EQ(brief(1.23e-7), "1.2e-07");
  EXPECT_EQ(brief(-3.4e9), "-3.4e+09");
}

TEST(Estimate, OneValueHasAnUnknownError) {
  const Estimate e = mean_and_error(at::ones({1}));
  EXPECT_TRUE(std::isnan(e.standard_error));
  EXPECT_EQ(e.interval().upper, INFINITY);
}

// Tables of Student's t, two-sided 95 % and 99 %.
TEST(Estimate, StudentQuantilesMatchTheTables) {
  EXPECT_NEAR(student_t_quantile(0.95, 1), 12.706204736174698, 1e-8);
  EXPECT_NEAR(student_t_quantile(0.95, 2), 4.302652729749464, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.95, 7), 2.3646242515927853, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.99, 30), 2.7499956535670325, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.95, 1e6), 1.9599663, 1e-6);
  EXPECT_NEAR(student_t_quantile(0.95, 1e12), 1.959963984540054, 1e-9);
}

// 95 % intervals from few values must hold the truth about 95 times in a hundred: a normal quantile
// in place of Student's would cover 88 %.
TEST(Estimate, IntervalsCover) {
  constexpr int kReplicates = 2000;
  int covered = 0;
  for (int k = 0; k < kReplicates; ++k) {
    const at::Tensor x = 3.0 + Rng(2).fork(static_cast<uint64_t>(k)).normal({4}, at::kDouble);
    const Interval interval = mean_and_error(x).interval(0.95);
    covered += interval.lower <= 3.0 && 3.0 <= interval.upper ? 1 : 0;
  }
  const double rate = static_cast<double>(covered) / kReplicates;
  EXPECT_NEAR(rate, 0.95, 4.0 * std::sqrt(0.95 * 0.05 / kReplicates));
}

TEST(Estimate, CombinedIsThatOfAllValues) {
  const at::Tensor x = Rng(3).normal({101}, at::kDouble);
  Estimate folded;
  for (const auto& part : x.split(25)) folded = combined(folded, mean_and_error(part));
  const Estimate whole = mean_and_error(x);
  EXPECT_NEAR(folded.mean, whole.mean, kRounding);
  EXPECT_NEAR(folded.standard_error, whole.standard_error, kRounding);
  EXPECT_EQ(folded.count, whole.count);
}

TEST(Estimate, PairedDifferenceForgetsWhatIsShared) {
  const at::Tensor rows = 50.0 * Rng(4).normal({200}, at::kDouble);
  const at::Tensor a = rows + 0.1 + 0.01 * Rng(5).normal({200}, at::kDouble);
  const Estimate paired = paired_difference(a, rows);
  const Estimate apart = difference(mean_and_error(a), mean_and_error(rows));
  EXPECT_NEAR(paired.mean, 0.1, 0.005);
  EXPECT_LT(paired.standard_error, 0.002);
  EXPECT_GT(apart.standard_error, 1.0);
  EXPECT_THAT(error_of<ShapeError>([&] { paired_difference(a, rows.slice(0, 1)); }),
              ::testing::HasSubstr("[200]"));
}

TEST(Estimate, DifferenceAddsErrorsInSquares) {
  const Estimate d = difference({5.0, 3.0, 10}, {1.0, 4.0, 10});
  EXPECT_DOUBLE_EQ(d.mean, 4.0);
  EXPECT_DOUBLE_EQ(d.standard_error, 5.0);
  EXPECT_EQ(d.count, 17);  // Welch: 625 / (81 / 9 + 256 / 9) = 16.7 degrees of freedom
}

TEST(Estimate, BitsPerDim) {
  EXPECT_DOUBLE_EQ(bits_per_dim(64.0 * std::log(2.0) * 2.08, 64), 2.08);
  EXPECT_DOUBLE_EQ(bits_per_dim(Estimate{std::log(2.0), std::log(2.0), 9}, 2).standard_error, 0.5);
}

TEST(Estimate, NoValuesIsAnError) {
  EXPECT_THAT(error_of<ShapeError>([] { mean_and_error(at::empty({0})); }),
              ::testing::HasSubstr("at least one value"));
}

}  // namespace
}  // namespace contraflow
