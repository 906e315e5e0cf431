#include "cli/plot/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace contraflow::plot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TEST(Axis, WholeNumbersHaveNoHalves) {
  const Axis axis({-0.5, 1.5}, {.least_step = 1.0});
  for (const Ticks& ticks : tick_choices(axis, 6)) {
    EXPECT_EQ(ticks.labels, (std::vector<std::string>{"0", "1"}));
  }
}

TEST(Axis, FarFromZeroTextsAreDifferencesToOneNumber) {
  const Ticks seconds = noted_ticks({1.7e9 - 150.0, 1.7e9 + 150.0}, 7);
  EXPECT_THAT(seconds.labels, ElementsAre("−150", "−100", "−50", "0", "50", "100", "150"));
  EXPECT_EQ(seconds.note, "+1.7×10⁹");
  EXPECT_DOUBLE_EQ(seconds.values.front(), 1.7e9 - 150.0);

  const Ticks narrow = noted_ticks({60000.0 - 2.5e-5, 60000.0 + 2.5e-5}, 5);
  EXPECT_THAT(narrow.labels, ElementsAre("−2", "−1", "0", "1", "2"));
  EXPECT_EQ(narrow.note, "×10⁻⁵ +60,000");

  const Ticks odd = noted_ticks({1690123456.0, 1690123556.0}, 6);
  EXPECT_EQ(odd.note, "+1,690,123,500");
  EXPECT_EQ(noted_ticks({-1.7e9 - 50.0, -1.7e9 + 50.0}, 5).note, "−1.7×10⁹");
}

TEST(Axis, AtLeastThreeTextsThatDifferWhateverTheOffset) {
  for (const double offset : {0.0, 1.0, -37.5, 6e4, 1.7e9, 1e12, -3e-7}) {
    for (const double width : {1e-5, 0.01, 3.0, 500.0}) {
      if (width < 1e-11 * std::abs(offset)) continue;
      const Ticks ticks = noted_ticks({offset - width, offset + width}, 6);
      EXPECT_GE(std::set<std::string>(ticks.labels.begin(), ticks.labels.end()).size(), 3U)
          << offset << " " << width;
    }
  }
}

TEST(Axis, SmallUnitsShareAPowerOfTen) {
  const Ticks ticks = noted_ticks({-1e-6, 1e-6}, 3);
  EXPECT_THAT(ticks.labels, ElementsAre("−1", "0", "1"));
  EXPECT_EQ(ticks.note, "×10⁻⁶");
  EXPECT_EQ(noted_ticks({0.0, 100.0}, 5).note, "");
}

// The number that a text of an axis says.
double number_of(std::string text) {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"−", "-"}, {",", ""}, {"×10⁴", "e4"}, {"10⁴", "1e4"}}) {
    for (size_t at; (at = text.find(from)) != std::string::npos;) text.replace(at, from.size(), to);
  }
  return std::stod(text);
}

TEST(Axis, LogarithmsSayThatTheyAre) {
  const AxisScale scale{.kind = AxisKind::kLog};
  const Axis axis(Range{scale.place(0.01), scale.place(1e5)}, scale);
  const Ticks ticks = tick_choices(axis, 9).front();
  EXPECT_THAT(ticks.labels, ElementsAre("0.01", "0.1", "1", "10", "100", "1,000", "10⁴", "10⁵"));
  EXPECT_EQ(ticks.note, "log scale");
  EXPECT_FALSE(ticks.minor.empty());
  EXPECT_NEAR(scale.value(scale.place(37.0)), 37.0, 1e-12);
  EXPECT_TRUE(std::isnan(scale.place(0.0)));
}

TEST(Axis, CountsFromZeroHaveAPlaceForZero) {
  const AxisScale scale{AxisKind::kLogOnePlus, 0.0, 1.0};
  EXPECT_EQ(scale.place(0.0), 0.0);
  const Ticks ticks =
      tick_choices(Axis(Range{scale.place(-0.5), scale.place(2000)}, scale), 9).front();
  EXPECT_THAT(ticks.labels, IsSupersetOf({"0", "1", "10", "100", "1,000"}));
  EXPECT_THAT(ticks.note, HasSubstr("1 + x"));
  EXPECT_EQ((AxisScale{AxisKind::kLogOnePlus, 5.0, 0.5}.note()), "log scale of 1 + (x − 5) / 0.5");
}

// Rain in steps of a hundredth: the texts are inches, not steps.
TEST(Axis, CountsInStepsAreLabelledWithTheirValues) {
  for (const double step : {0.01, 0.5, 20.0}) {
    for (const double origin : {0.0, 5.0, -9.0}) {
      const AxisScale scale{AxisKind::kLogOnePlus, origin, step};
      const Axis axis(Range{0.0, scale.place(origin + 1000.0 * step)}, scale);
      for (const Ticks& ticks : tick_choices(axis, 9)) {
        for (size_t k = 0; k < ticks.values.size(); ++k) {
          EXPECT_NEAR(number_of(ticks.labels[k]), scale.value(ticks.values[k]), 1e-9 * step)
              << step << " " << origin << " " << ticks.labels[k];
        }
      }
    }
  }
  const AxisScale rain{AxisKind::kLogOnePlus, 0.0, 0.01};
  const Axis axis(Range{0.0, rain.place(1.0)}, rain);
  EXPECT_THAT(tick_choices(axis, 9).front().labels, IsSupersetOf({"0", "0.01", "0.1", "1"}));
}

TEST(Axis, DatesAreRoundAndTimesNameTheirDay) {
  const double day = 86400.0;
  const double new_year = 18628.0 * day;  // 2021-01-01
  EXPECT_THAT(date_ticks({new_year, new_year + 1000.0 * day}, 4).front().labels,
              ElementsAre("2021", "2022", "2023"));
  EXPECT_THAT(date_ticks({new_year - day, new_year + 70.0 * day}, 4).back().labels,
              ElementsAre("2021-01", "2021-02", "2021-03"));
  const std::vector<Ticks> hours = date_ticks({new_year + 3600.0, new_year + 5.0 * 3600.0}, 5);
  EXPECT_THAT(hours.front().labels, ::testing::Contains("03:00"));
  EXPECT_EQ(hours.front().note, "2021-01-01 (UTC)");
  EXPECT_TRUE(date_ticks({0.0, 0.4}, 5).empty()) << "below a second the axis is a plain one";
}

}  // namespace
}  // namespace contraflow::plot
