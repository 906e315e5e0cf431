#include "cli/plot/density_sheet.h"

#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using testing::drawn;
using testing::kFreeBorder;
using testing::Picture;

Grid flat(double log_density) {
  return {4, 4, {-1, 1}, {-1, 1}, std::vector<double>(16, log_density)};
}

DensitySheet sheet_of(std::vector<SheetRow> rows) {
  return {.title = "Sheet", .columns = {"data", "model"}, .rows = std::move(rows)};
}

Picture drawn_sheet(const DensitySheet& sheet) {
  return drawn([&](const auto& path) { draw_density_sheet(sheet, path); });
}

TEST(DensitySheet, EveryRowHasAScaleOfItsOwn) {
  // One density ten times the other: on a common scale the lower row would be dark.
  const auto sheet = sheet_of({{"low", {{flat(std::log(0.1))}, {flat(std::log(0.1))}}},
                               {"high", {{flat(0.0)}, {flat(0.0)}}}});
  const Picture picture = drawn_sheet(sheet);
  const int64_t cell = 260 * 260;  // pixels: 130 points, two to the point
  EXPECT_GT(picture.count(density_colors()(1.0)), 4 * cell * 95 / 100);
  EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
}

TEST(DensitySheet, CountsDoNotSetTheScaleOfADensity) {
  const auto sheet =
      sheet_of({{"row", {{.log_density = flat(std::log(50.0)), .smooth = false}, {flat(0.0)}}}});
  EXPECT_GT(drawn_sheet(sheet).count(density_colors()(1.0)), 2 * 260 * 260 * 95 / 100);
}

TEST(DensitySheet, GrowsWithItsRowsAndLeavesCellsFree) {
  const Picture one = drawn_sheet(sheet_of({{"a", {SheetCell{}, {flat(0.0)}}}}));
  const Picture two =
      drawn_sheet(sheet_of({{"a", {SheetCell{}, SheetCell{}}}, {"a", {SheetCell{}, {flat(0.0)}}}}));
  EXPECT_EQ(one.width(), two.width());
  EXPECT_GT(two.height(), one.height() + 260);
}

TEST(DensitySheet, RefusesWhatIsNoTable) {
  EXPECT_THROW(drawn_sheet(sheet_of({})), DomainError);
  EXPECT_THROW(drawn_sheet(sheet_of({{"short", {SheetCell{}}}})), DomainError);
  EXPECT_THROW(drawn_sheet(sheet_of({{"bad", {{Grid{}}, SheetCell{}}}})), DomainError);
}

}  // namespace
}  // namespace contraflow::plot
