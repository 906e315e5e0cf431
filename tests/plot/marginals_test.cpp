#include "cli/plot/marginals.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cli/plot/stats.h"
#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using testing::drawn;
using testing::kFreeBorder;

/// Exact normal quantiles: a sample without noise.
std::vector<double> normal_scores(int count, double shift, double scale) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i)
    values.push_back(shift + scale * normal_quantile((i + 0.5) / count));
  return values;
}

Marginals columns(size_t count) {
  Marginals marginals;
  marginals.title = "table";
  for (size_t i = 0; i < count; ++i) {
    marginals.columns.push_back(
        {std::string(60, 'W'), normal_scores(300, 0, 1e7), normal_scores(200, 1e6, 2e7)});
  }
  return marginals;
}

TEST(Marginals, AnyNumberOfColumnsKeepsTheBorder) {
  for (const size_t count : {1U, 2U, 3U, 5U, 7U, 12U, 30U}) {
    const auto picture = drawn([&](const auto& path) { draw_marginals(columns(count), path); });
    EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0) << count;
  }
}

TEST(Marginals, DegenerateColumnsAreDrawn) {
  for (const std::vector<double>& data :
       {std::vector<double>{4.0}, std::vector<double>(100, 4.0), std::vector<double>{0, HUGE_VAL},
        std::vector<double>{1e-300, 1e300}}) {
    for (const std::vector<double>& model : {std::vector<double>{}, normal_scores(50, 0, 1)}) {
      Marginals marginals;
      marginals.columns = {{"a", data, model}};
      const auto picture = drawn([&](const auto& path) { draw_marginals(marginals, path); });
      EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
    }
  }
}

TEST(Marginals, MisuseIsADomainError) {
  const testing::TempFolder folder;
  EXPECT_THROW(draw_marginals({}, folder / "a.png"), DomainError);
  Marginals marginals;
  marginals.columns = {{"empty", {std::nan("")}, {1.0}}};
  EXPECT_THROW(draw_marginals(marginals, folder / "a.png"), DomainError);
}

TEST(NormalCheck, NormalSamplesStayInTheBand) {
  NormalCheck check;
  check.coordinates = {normal_scores(1000, 0, 1)};
  const auto good = drawn([&](const auto& path) { draw_normal_check(check, path); });
  EXPECT_EQ(good.marks_at_border(kFreeBorder), 0);
  check.coordinates = {normal_scores(1000, 2.0, 1)};
  const auto shifted = drawn([&](const auto& path) { draw_normal_check(check, path); });
  // The band fills a smaller part where the axis has to reach out to the worm.
  const Color band = mix(theme::kPanel, theme::kFrame, 0.38);
  EXPECT_GT(good.count(band), 2 * shifted.count(band));
}

TEST(NormalCheck, ManyOrOddCoordinatesAreDrawn) {
  NormalCheck check;
  check.coordinates.assign(64, normal_scores(40, 0, 1));
  check.coordinates[0] = {5.0, 5.0};
  check.coordinates[1] = {1e9, -1e9, std::nan("")};
  const auto picture = drawn([&](const auto& path) { draw_normal_check(check, path); });
  EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
}

TEST(NormalCheck, MisuseIsADomainError) {
  const testing::TempFolder folder;
  EXPECT_THROW(draw_normal_check({}, folder / "a.png"), DomainError);
  NormalCheck check;
  check.coordinates = {{1.0}};
  EXPECT_THROW(draw_normal_check(check, folder / "a.png"), DomainError);
  check.coordinates = {{1.0, 2.0}};
  check.names = {"a", "b"};
  EXPECT_THROW(draw_normal_check(check, folder / "a.png"), DomainError);
}

}  // namespace
}  // namespace contraflow::plot
