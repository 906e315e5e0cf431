#include "cli/plot/density_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using testing::drawn;
using testing::kFreeBorder;
using testing::Picture;

Grid bump() {
  Grid grid{40, 40, {-3, 3}, {-3, 3}, {}};
  for (int64_t row = 0; row < grid.rows; ++row) {
    for (int64_t col = 0; col < grid.cols; ++col) {
      const double r = std::hypot(grid.center_x(col), grid.center_y(row));
      grid.values.push_back(-0.5 * r * r - std::log(2.0 * M_PI));
    }
  }
  return grid;
}

DensityMap single(Grid grid) {
  DensityMap map;
  map.panels.push_back({.title = "", .note = "", .log_density = std::move(grid), .points = {}});
  return map;
}

Picture draw(const DensityMap& map) {
  return drawn([&](const auto& path) { draw_density_map(map, path); });
}

/// Row in the middle of the heat map of a figure that holds a single panel without any heading.
int middle_row() { return static_cast<int>(2.0 * (theme::kMargin + 215.0)); }

int left_edge(const Picture& picture, int row) {
  int x = 0;
  while (picture.at(x, row) != pack_rgb(theme::kFrame)) ++x;
  return x;
}

TEST(DensityMap, HotSpotIsBrighterThanTheRest) {
  const Picture picture = draw(single(bump()));
  const int row = middle_row();
  const int left = left_edge(picture, row);
  const int center = testing::brightness(picture.at(left + 430, row));
  const int edge = testing::brightness(picture.at(left + 10, row));
  EXPECT_GT(center, edge + 300);
  EXPECT_EQ(picture.at(left + 430, row), pack_rgb(density_colors()(1.0)));
}

TEST(DensityMap, TextsKeepOffTheBorder) {
  DensityMap map = single(bump());
  map.title = std::string(300, 'W');
  map.subtitle = std::string(300, 'W');
  map.x_label = map.y_label = std::string(300, 'W');
  map.panels[0].title = map.panels[0].note = std::string(300, 'W');
  map.panels.resize(3, map.panels[0]);
  EXPECT_EQ(draw(map).marks_at_border(kFreeBorder), 0);
  map.panels.resize(1);
  map.x = {1e6, 1e6 + 1.0};
  map.y = {-1e-7, 1e-7};
  EXPECT_EQ(draw(map).marks_at_border(kFreeBorder), 0);
}

TEST(DensityMap, MissingCellsAreGrey) {
  Grid grid = bump();
  for (size_t i = 0; i < 400; ++i) grid.values[i] = std::nan("");
  // A quarter of the panel of 860 x 860 pixels, less the line of its frame.
  EXPECT_GT(draw(single(grid)).count(theme::kMissing), 860 * 860 / 4 - 3000);
  grid.values.assign(grid.values.size(), std::nan(""));
  EXPECT_GT(draw(single(grid)).count(theme::kMissing), 850 * 850);
}

TEST(DensityMap, DegenerateDensitiesAreDrawn) {
  for (const double value : {0.0, -700.0, -std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::infinity()}) {
    Grid grid{1, 1, {0, 1}, {0, 1}, {value}};
    for (const DensityScale scale : {DensityScale::kDensity, DensityScale::kNats}) {
      DensityMap map = single(grid);
      map.scale = scale;
      EXPECT_EQ(draw(map).marks_at_border(kFreeBorder), 0) << value;
    }
  }
}

TEST(DensityMap, ASingleSpikeDoesNotDarkenTheRest) {
  Grid grid = bump();
  const Picture plain = draw(single(grid));
  grid.values[0] = 20.0;
  const Picture spiky = draw(single(grid));
  const int row = middle_row();
  EXPECT_NEAR(testing::brightness(plain.at(left_edge(plain, row) + 430, row)),
              testing::brightness(spiky.at(left_edge(spiky, row) + 430, row)), 30);
}

TEST(DensityMap, PanelsOfSamplesNeedNoGrid) {
  DensityMap map;
  DensityPanel panel{.title = "data", .note = "", .log_density = {}, .points = {}};
  for (int i = 0; i < 500; ++i) {
    panel.points.push_back(std::cos(i));
    panel.points.push_back(std::sin(i));
  }
  map.panels = {panel, panel};
  const Picture dots = draw(map);
  EXPECT_EQ(dots.marks_at_border(kFreeBorder), 0);
  EXPECT_EQ(dots.count(density_colors()(0.0)), 0);
  map.panels[1].style = PointStyle::kHistogram;
  EXPECT_GT(draw(map).count(density_colors()(0.0)), 10000);
}

TEST(DensityMap, MisuseIsADomainError) {
  const testing::TempFolder folder;
  const auto path = folder / "a.png";
  EXPECT_THROW(draw_density_map({}, path), DomainError);
  DensityMap map = single(bump());
  map.panels.resize(5, map.panels[0]);
  EXPECT_THROW(draw_density_map(map, path), DomainError);
  map.panels.resize(1);
  map.panels[0].points = {1.0, 2.0, 3.0};
  EXPECT_THROW(draw_density_map(map, path), DomainError);
  map.panels[0] = {};
  EXPECT_THROW(draw_density_map(map, path), DomainError);
  map.panels[0].points = {std::nan(""), 1.0};
  EXPECT_THROW(draw_density_map(map, path), DomainError);
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace contraflow::plot
