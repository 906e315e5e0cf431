#include "cli/plot/warp.h"

#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using testing::drawn;
using testing::kFreeBorder;

WarpLine sheared(const PointList& base) {
  WarpLine line{base, base};
  for (size_t i = 0; i < base.size(); i += 2) line.data[i] += 0.5 * base[i + 1];
  return line;
}

Warp example() {
  Warp warp;
  for (const PointList& line : disc_grid(3.0, 0.5, 101)) warp.grid.push_back(sheared(line));
  for (const PointList& line : normal_contours({1, 2, 3}, 91)) {
    warp.contours.push_back(sheared(line));
  }
  return warp;
}

TEST(Warp, DiscGridLiesInTheDisc) {
  const std::vector<PointList> lines = disc_grid(3.0, 0.5, 11);
  EXPECT_EQ(lines.size(), 22U) << "11 lines each way; tangents at the rim have no length";
  for (const PointList& line : lines) {
    ASSERT_EQ(line.size(), 22U);
    for (size_t i = 0; i < line.size(); i += 2) {
      EXPECT_LE(std::hypot(line[i], line[i + 1]), 3.0 + 1e-12);
    }
    EXPECT_TRUE(line[0] == line[20] || line[1] == line[21]) << "parallel to an axis";
  }
}

TEST(Warp, ContoursAreClosedCircles) {
  for (const PointList& circle : normal_contours({1.5}, 37)) {
    for (size_t i = 0; i < circle.size(); i += 2) {
      EXPECT_NEAR(std::hypot(circle[i], circle[i + 1]), 1.5, 1e-12);
    }
    EXPECT_NEAR(circle[0], circle[circle.size() - 2], 1e-12);
  }
}

TEST(Warp, DrawsBothSpacesWithinTheBorder) {
  Warp warp = example();
  for (const WarpColor color : {WarpColor::kRadius, WarpColor::kAngle}) {
    warp.color = color;
    const auto picture = drawn([&](const auto& path) { draw_warp(warp, path); });
    EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
    EXPECT_GT(picture.count(theme::kInk), 2000) << "contours";
  }
}

TEST(Warp, SurvivesMissingAndFarPoints) {
  Warp warp = example();
  warp.grid[3].data[10] = std::nan("");
  warp.grid[4].data[12] = 1e30;
  warp.grid[5].data[13] = HUGE_VAL;
  warp.data_points = {0.0, 0.0, std::nan(""), 1.0};
  const auto picture = drawn([&](const auto& path) { draw_warp(warp, path); });
  EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
}

TEST(Warp, MisuseIsADomainError) {
  const testing::TempFolder folder;
  const auto path = folder / "a.png";
  EXPECT_THROW(draw_warp({}, path), DomainError);
  Warp warp = example();
  warp.grid[0].data.pop_back();
  EXPECT_THROW(draw_warp(warp, path), DomainError);
  Warp lost = example();
  for (auto* lines : {&lost.grid, &lost.contours}) {
    for (WarpLine& line : *lines) line.data.assign(line.data.size(), std::nan(""));
  }
  EXPECT_THROW(draw_warp(lost, path), DomainError);
}

}  // namespace
}  // namespace contraflow::plot
