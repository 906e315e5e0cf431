#include "cli/plot/curves.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cli/plot/curve_limits.h"
#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using testing::drawn;
using testing::kFreeBorder;

/// Falls from 100 to about 3.5 within a few steps.
Series falling(CurveStyle style) {
  Series series{.name = "train", .step = {}, .value = {}, .error = {}, .style = style};
  for (int i = 0; i < 400; ++i) {
    series.step.push_back(i);
    series.value.push_back(3.5 + 100.0 * std::exp(-i / 4.0) + 0.05 * std::sin(1.7 * i));
  }
  return series;
}

Range limits(const Curves& curves) {
  std::vector<Series> series;
  for (const Series& one : curves.series) series.push_back(ordered(one));
  return settled_range(curves, series, *step_range(series));
}

TEST(Curves, LimitsIgnoreTheStartAndOutliers) {
  Curves curves;
  curves.series = {falling(CurveStyle::kNoisy)};
  EXPECT_LT(limits(curves).hi, 4.0);
  EXPECT_GT(limits(curves).hi, 3.54);
  EXPECT_LT(limits(curves).lo, 3.46);
  curves.series[0].style = CurveStyle::kMarkers;
  curves.series[0].value[300] = 1e6;
  EXPECT_LT(limits(curves).hi, 4.0);
}

TEST(Curves, LimitsHoldReferencesAndTheBestPoint) {
  Curves curves;
  curves.series = {falling(CurveStyle::kNoisy)};
  curves.references = {{3.0, "entropy"}};
  curves.best = MarkedPoint{200.0, 2.9, "best"};
  EXPECT_LT(limits(curves).lo, 2.9);
}

TEST(Curves, ACompanionIsDashedInTheColourOfItsSeries) {
  const auto ink_of = [](CurveStyle style, size_t color) {
    Curves curves;
    curves.series = {
        {.name = "a", .step = {0, 10}, .value = {1, 1}, .style = CurveStyle::kLine},
        {.name = "b", .step = {0, 10}, .value = {2, 2}, .style = style, .color = color}};
    const auto picture = drawn([&](const auto& path) { draw_curves(curves, path); });
    return std::pair{picture.count(series_color(0)), picture.count(series_color(1))};
  };
  const auto [own, other] = ink_of(CurveStyle::kLine, 1);
  const auto [shared, none] = ink_of(CurveStyle::kLine, 0);
  EXPECT_GT(other, 0);
  EXPECT_EQ(none, 0);
  EXPECT_EQ(shared, own + other);
  const auto [dashed, nothing] = ink_of(CurveStyle::kDashed, 0);
  EXPECT_EQ(nothing, 0);
  EXPECT_GT(dashed, own);
  EXPECT_LT(dashed, shared - other / 5);
}

TEST(Curves, TheTruthIsDashedInInkWhateverItsPlace) {
  const auto drawn_as = [](CurveStyle style, const Color& color) {
    Curves curves;
    curves.series = {{.name = "a", .step = {0, 10}, .value = {1, 1}, .style = style, .color = 1}};
    return drawn([&](const auto& path) { draw_curves(curves, path); }).count(color);
  };
  const int64_t line = drawn_as(CurveStyle::kLine, series_color(1));
  const int64_t texts = drawn_as(CurveStyle::kLine, theme::kInk);
  const int64_t truth = drawn_as(CurveStyle::kTruth, theme::kInk) - texts;
  EXPECT_EQ(drawn_as(CurveStyle::kTruth, series_color(1)), 0);
  EXPECT_GT(truth, line / 3);
  EXPECT_LT(truth, line - line / 5);
}

TEST(Curves, LowestPointNamesStepAndValue) {
  Series series{
      .name = "", .step = {10, 4500, 30}, .value = {5, 3.5121, std::nan("")}, .error = {}};
  const std::optional<MarkedPoint> best = lowest_point(series);
  ASSERT_TRUE(best);
  EXPECT_EQ(best->step, 4500.0);
  EXPECT_EQ(best->label, "best 3.512 at step 4,500");
  series.value.assign(3, std::nan(""));
  EXPECT_FALSE(lowest_point(series));
}

TEST(Curves, StepsAreOrderedAndLimitsComeFromLateSteps) {
  Series shuffled{
      .name = "", .step = {3, 1, std::nan(""), 2}, .value = {30, 10, 0, 20}, .error = {}};
  EXPECT_EQ(ordered(shuffled).value, (std::vector<double>{10, 20, 30}));
}

TEST(Curves, FullFigureKeepsItsBorder) {
  Curves curves;
  curves.title = std::string(200, 'W');
  curves.subtitle = std::string(200, 'W');
  curves.series = {falling(CurveStyle::kNoisy), falling(CurveStyle::kMarkers)};
  for (double& value : curves.series[1].value) value += 0.1;
  curves.series[1].error.assign(400, 0.1);
  curves.series[1].name = std::string(200, 'W');
  curves.references = {{3.466, std::string(200, 'W')}, {3.467, "b"}, {3.468, "c"}};
  curves.best = lowest_point(curves.series[1]);
  curves.learning_rate = falling(CurveStyle::kMarkers);
  const auto picture = drawn([&](const auto& path) { draw_curves(curves, path); });
  EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
  EXPECT_GT(picture.count(series_color(0)), 500) << "smoothed course";
  EXPECT_GT(picture.count(series_color(1)), 500) << "markers";
}

TEST(Curves, TheLegendNamesBandAndSmoothing) {
  const auto legend_rows = [](Curves curves) {
    return drawn([&](const auto& path) { draw_curves(curves, path); }).height();
  };
  Curves curves;
  curves.series = {falling(CurveStyle::kMarkers)};
  curves.series[0].name = std::string(100, 'W');  // fills a row
  const int plain = legend_rows(curves);
  curves.series[0].error.assign(400, 0.1);
  EXPECT_GT(legend_rows(curves), plain) << "the band has an entry";
  curves.series[0].error.assign(400, 0.0);
  EXPECT_EQ(legend_rows(curves), plain) << "no band, no entry";
  curves.series[0].style = CurveStyle::kNoisy;
  EXPECT_GT(legend_rows(curves), plain) << "values and running mean";
}

TEST(Curves, DegenerateSeriesAreDrawn) {
  for (const CurveStyle style : {CurveStyle::kNoisy, CurveStyle::kMarkers}) {
    for (const size_t count : {1U, 2U, 5U}) {
      Series series{.name = "a", .step = {}, .value = {}, .error = {}, .style = style};
      for (size_t i = 0; i < count; ++i) series.step.push_back(static_cast<double>(100 * i));
      series.value.assign(count, 3.0);
      Curves curves;
      curves.series = {series};
      const auto picture = drawn([&](const auto& path) { draw_curves(curves, path); });
      EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
      EXPECT_GT(picture.count(series_color(0)), 40) << count;
    }
  }
}

TEST(Curves, GapsAndEarlyEndAreDrawn) {
  Curves curves;
  curves.series = {falling(CurveStyle::kNoisy)};
  for (size_t i = 10; i < 400; ++i) curves.series[0].value[i] = std::nan("");
  EXPECT_NO_THROW(drawn([&](const auto& path) { draw_curves(curves, path); }));
}

TEST(Curves, MisuseIsADomainError) {
  const testing::TempFolder folder;
  const auto path = folder / "a.png";
  EXPECT_THROW(draw_curves({}, path), DomainError);
  Curves curves;
  curves.series = {falling(CurveStyle::kNoisy)};
  curves.series[0].step.pop_back();
  EXPECT_THROW(draw_curves(curves, path), DomainError);
  curves.series[0] = {.name = "", .step = {1}, .value = {std::nan("")}, .error = {}};
  EXPECT_THROW(draw_curves(curves, path), DomainError);
}

}  // namespace
}  // namespace contraflow::plot
