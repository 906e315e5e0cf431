#include "cli/plot/heat.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cli/plot/points.h"
#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using testing::Picture;

/// Four by four cells on a panel of 80 points at (10, 10): 40 pixels to the cell.
Picture heat_picture(const Grid& grid, const ColorScale& scale, bool smooth) {
  return testing::drawn([&](const auto& path) {
    Canvas canvas(100.0, 100.0);
    draw_heat(canvas, Panel({10, 10, 80, 80}, grid.x, grid.y), grid, scale, smooth);
    canvas.write_png(path);
  });
}

Grid four_by_four() { return {4, 4, {0, 4}, {0, 4}, std::vector<double>(16, 0.0)}; }

TEST(Heat, RowZeroIsAtTheBottomAndColumnZeroOnTheLeft) {
  Grid grid = four_by_four();
  grid.values[0] = 1.0;
  const Picture picture = heat_picture(grid, {.range = {0, 1}}, false);
  EXPECT_EQ(picture.at(40, 160), pack_rgb(density_colors()(1.0)));
  EXPECT_EQ(picture.at(40, 40), pack_rgb(density_colors()(0.0)));
  EXPECT_EQ(picture.at(160, 160), pack_rgb(density_colors()(0.0)));
}

TEST(Heat, MissingCellsAreNeutralAndDoNotSpread) {
  Grid grid = four_by_four();
  grid.values[5] = std::nan("");
  const Picture picture = heat_picture(grid, {.range = {0, 1}}, true);
  // Cell (1, 1) covers 40 x 40 pixels; its inside is grey, its neighbours are not.
  EXPECT_EQ(picture.count(theme::kMissing), 40 * 40);
  EXPECT_EQ(picture.at(80, 120), pack_rgb(theme::kMissing));
  EXPECT_EQ(picture.at(55, 120), pack_rgb(density_colors()(0.0)));
}

TEST(Heat, SmoothValuesLieBetweenTheirNeighbours) {
  Grid grid = four_by_four();
  for (size_t row = 0; row < 4; ++row) grid.values[4 * row + 2] = 1.0;
  const Picture picture = heat_picture(grid, {.range = {0, 1}}, true);
  const int low = testing::brightness(picture.at(80, 100));
  const int middle = testing::brightness(picture.at(100, 100));
  const int high = testing::brightness(picture.at(120, 100));
  EXPECT_LT(low, middle);
  EXPECT_LT(middle, high);
}

TEST(Heat, MinusInfinityIsTheLowestColour) {
  Grid grid = four_by_four();
  grid.values[5] = -std::numeric_limits<double>::infinity();
  const Picture picture = heat_picture(grid, {.range = {-1, 1}}, true);
  // Half a pixel beside the centre of the cell.
  EXPECT_NEAR(testing::brightness(picture.at(80, 120)),
              testing::brightness(pack_rgb(density_colors()(0.0))), 12);
  EXPECT_EQ(picture.count(theme::kMissing), 0);
}

TEST(Heat, GridIsChecked) {
  Grid grid = four_by_four();
  EXPECT_NO_THROW(check_grid("test", "grid", grid));
  grid.values.pop_back();
  EXPECT_THROW(check_grid("test", "grid", grid), DomainError);
  EXPECT_THROW(check_grid("test", "grid", Grid{}), DomainError);
  grid = four_by_four();
  grid.x = {1.0, 1.0};
  EXPECT_THROW(check_grid("test", "grid", grid), DomainError);
  grid = four_by_four();
  grid.cols = -4;
  EXPECT_THROW(check_grid("test", "grid", grid), DomainError);
}

TEST(Heat, CentersOfCells) {
  const Grid grid = four_by_four();
  EXPECT_DOUBLE_EQ(grid.center_x(0), 0.5);
  EXPECT_DOUBLE_EQ(grid.center_y(3), 3.5);
}

TEST(Counted, IntegratesToOne) {
  PointList points;
  for (int i = 0; i < 1000; ++i) {
    points.push_back(std::fmod(0.618034 * i, 1.0));
    points.push_back(i / 1000.0);
  }
  const Grid grid = counted(points, {0, 1}, {0, 1});
  double total = 0.0;
  for (const double value : grid.values) total += std::exp(value);
  EXPECT_NEAR(total / static_cast<double>(grid.rows * grid.cols), 1.0, 1e-12);
}

}  // namespace
}  // namespace contraflow::plot
