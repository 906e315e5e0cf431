#include "cli/plot/ticks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace contraflow::plot {
namespace {

using ::testing::ElementsAre;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Ticks, AreRoundNumbersInsideTheRange) {
  const Ticks ticks = nice_ticks({-4.5, 4.5}, 6);
  EXPECT_THAT(ticks.values, ElementsAre(-4, -2, 0, 2, 4));
  EXPECT_THAT(ticks.labels, ElementsAre("−4", "−2", "0", "2", "4"));
}

TEST(Ticks, EndsOfTheRangeCountInSpiteOfRounding) {
  EXPECT_THAT(nice_ticks({0.0, 0.3}, 4).labels, ElementsAre("0.0", "0.1", "0.2", "0.3"));
}

TEST(Ticks, NeverMoreThanAskedForAndStepsOneTwoFive) {
  for (double width = 1e-6; width < 1e6; width *= 1.37) {
    for (const int most : {2, 3, 5, 9}) {
      const Ticks ticks = nice_ticks({-0.3 * width, 0.7 * width}, most);
      EXPECT_LE(ticks.values.size(), static_cast<size_t>(most)) << width;
      const double mantissa =
          ticks.step / std::pow(10.0, std::floor(std::log10(ticks.step) + 1e-9));
      EXPECT_TRUE(std::abs(mantissa - 1) < 1e-6 || std::abs(mantissa - 2) < 1e-6 ||
                  std::abs(mantissa - 5) < 1e-6)
          << ticks.step;
    }
  }
}

TEST(Ticks, LabelsShareTheirDecimals) {
  EXPECT_THAT(nice_ticks({0.0, 0.031}, 4).labels, ElementsAre("0.00", "0.01", "0.02", "0.03"));
  EXPECT_THAT(nice_ticks({0.0, 4000.0}, 5).labels,
              ElementsAre("0", "1,000", "2,000", "3,000", "4,000"));
}

TEST(Ticks, TinyAndHugeNumbersSharePowersOfTen) {
  EXPECT_THAT(nice_ticks({0.0, 2e-5}, 3).labels, ElementsAre("0", "1×10⁻⁵", "2×10⁻⁵"));
  EXPECT_THAT(nice_ticks({0.0, 3e12}, 4).labels, ElementsAre("0", "1×10¹²", "2×10¹²", "3×10¹²"));
  EXPECT_THAT(nice_ticks({0.0, 2e5}, 3, Notation::kShort).labels,
              ElementsAre("0", "1×10⁵", "2×10⁵"));
}

TEST(Ticks, OfDegenerateRangesExist) {
  for (const Range range :
       {Range{3.0, 3.0}, Range{0.0, 0.0}, Range{2.0, 1.0}, Range{-5e8, -5e8},
        Range{std::nan(""), 1.0}, Range{0.0, kInfinity}, Range{-1e308, 1e308}}) {
    const Ticks ticks = nice_ticks(range, 5);
    EXPECT_GE(ticks.values.size(), 2U) << range.lo << " " << range.hi;
    EXPECT_LE(ticks.values.size(), 5U) << range.lo << " " << range.hi;
  }
}

TEST(Ticks, AtAGivenStepAreBounded) {
  EXPECT_THAT(ticks_every({-180, 180}, 90).labels, ElementsAre("−180", "−90", "0", "90", "180"));
  EXPECT_EQ(ticks_every({0, 1}, 1e-9).values.size(), 1000U);
}

TEST(Ranges, AreRepairedAroundTheirValue) {
  const Range constant = usable_range({3.2, 3.2});
  EXPECT_LT(constant.lo, 3.2);
  EXPECT_GT(constant.hi, 3.2);
  const Range swapped = usable_range({2.0, 1.0});
  EXPECT_EQ(swapped.lo, 1.0);
  EXPECT_EQ(swapped.hi, 2.0);
  const Range wide = padded({0.0, 10.0}, 0.1);
  EXPECT_DOUBLE_EQ(wide.lo, -1.0);
  EXPECT_DOUBLE_EQ(wide.hi, 11.0);
}

TEST(Numbers, HaveThousandsAndATrueMinus) {
  EXPECT_EQ(format_fixed(-1234567.891, 1), "−1,234,567.9");
  EXPECT_EQ(format_fixed(-0.0001, 2), "0.00");
  EXPECT_EQ(format_fixed(999, 0), "999");
}

}  // namespace
}  // namespace contraflow::plot
