#include "cli/plot/image_grid.h"

#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using testing::drawn;
using testing::kFreeBorder;

ImageGrid two_sets() {
  ImageGrid grid;
  grid.title = "digits";
  grid.rows = grid.cols = 2;
  grid.per_row = 3;
  grid.sets = {{"data", "", std::vector<double>(5 * 4, 0.0)},
               {"samples", "", std::vector<double>(3 * 4, 1.0)}};
  return grid;
}

constexpr Color kBlack{0, 0, 0};
constexpr Color kWhite{1, 1, 1};

TEST(ImageGrid, PixelsHaveTheirGrey) {
  ImageGrid grid = two_sets();
  const auto photo = drawn([&](const auto& path) { draw_image_grid(grid, path); });
  // An image of 2 x 2 is drawn 44 points wide: 88 x 88 pixels.
  EXPECT_EQ(photo.count(kBlack), 5 * 88 * 88);
  EXPECT_EQ(photo.count(kWhite), 3 * 88 * 88);
  EXPECT_EQ(photo.marks_at_border(kFreeBorder), 0);
  grid.grey = GreyScale::kOneIsInk;
  const auto ink = drawn([&](const auto& path) { draw_image_grid(grid, path); });
  EXPECT_EQ(ink.count(kWhite), 5 * 88 * 88);
  EXPECT_GE(ink.count(theme::kInk), 3 * 88 * 88);
}

TEST(ImageGrid, BlocksStandInLines) {
  ImageGrid grid = two_sets();
  grid.sets.push_back(grid.sets.back());
  const auto below = drawn([&](const auto& path) { draw_image_grid(grid, path); });
  grid.blocks_per_line = 3;
  const auto beside = drawn([&](const auto& path) { draw_image_grid(grid, path); });
  EXPECT_GT(beside.width(), below.width());
  EXPECT_LT(beside.height(), below.height());
  EXPECT_EQ(beside.count(kWhite), below.count(kWhite));
}

TEST(ImageGrid, ChannelsComeFirst) {
  ImageGrid grid;
  grid.rows = grid.cols = 1;
  grid.channels = 3;
  grid.sets = {{"", "", {1.0, 0.0, 0.0}}};
  const auto picture = drawn([&](const auto& path) { draw_image_grid(grid, path); });
  EXPECT_EQ(picture.count({1, 0, 0}), 88 * 88);
}

TEST(ImageGrid, OddValuesAreClampedOrMarked) {
  ImageGrid grid;
  grid.rows = 1;
  grid.cols = 4;
  grid.sets = {{"", "", {-3.0, 7.0, std::nan(""), HUGE_VAL}}};
  const auto picture = drawn([&](const auto& path) { draw_image_grid(grid, path); });
  EXPECT_EQ(picture.count(kBlack), 22 * 22);
  EXPECT_EQ(picture.count(kWhite), 2 * 22 * 22);
}

TEST(ImageGrid, LongCaptionsAndManySetsFit) {
  ImageGrid grid = two_sets();
  grid.sets[0].caption = grid.sets[1].note = grid.title = std::string(200, 'W');
  grid.sets.resize(5, grid.sets[0]);
  const auto picture = drawn([&](const auto& path) { draw_image_grid(grid, path); });
  EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
}

TEST(ImageGrid, MisuseIsADomainError) {
  const testing::TempFolder folder;
  const auto path = folder / "a.png";
  EXPECT_THROW(draw_image_grid({}, path), DomainError);
  ImageGrid grid = two_sets();
  grid.sets[0].pixels.pop_back();
  EXPECT_THROW(draw_image_grid(grid, path), DomainError);
  grid.sets[0].pixels.clear();
  EXPECT_THROW(draw_image_grid(grid, path), DomainError);
  grid = two_sets();
  grid.channels = 2;
  EXPECT_THROW(draw_image_grid(grid, path), DomainError);
  grid = two_sets();
  grid.per_row = 0;
  EXPECT_THROW(draw_image_grid(grid, path), DomainError);
}

}  // namespace
}  // namespace contraflow::plot
