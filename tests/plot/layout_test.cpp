#include <gtest/gtest.h>

#include "cli/plot/panel.h"
#include "cli/plot/points.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

TEST(Panel, MapsRangesToItsArea) {
  const Panel panel({100, 50, 200, 80}, {-1, 1}, {0, 4});
  EXPECT_DOUBLE_EQ(panel.at(-1, 0).x, 100.0);
  EXPECT_DOUBLE_EQ(panel.at(-1, 0).y, 130.0);
  EXPECT_DOUBLE_EQ(panel.at(1, 4).x, 300.0);
  EXPECT_DOUBLE_EQ(panel.at(1, 4).y, 50.0);
}

/// Axes alone on a canvas that leaves just the room that left_space() and bottom_space() ask for.
TEST(Panel, TextsFitTheSpaceAskedFor) {
  for (const Range y : {Range{0, 1}, Range{-123456, 98765}, Range{0, 3e-7}, Range{5, 5}}) {
    const double left = 10.0 + left_space(y, 150.0, "loss (nats)");
    const auto picture = testing::drawn([&](const auto& path) {
      Canvas canvas(left + 200.0 + 24.0,
                    10.0 + 150.0 + bottom_space(Range{0, 40000}, 200.0, "step") + 10.0);
      Panel({left, 10.0, 200.0, 150.0}, {0, 40000}, y).draw_axes(canvas, "step", "loss (nats)");
      canvas.write_png(path);
    });
    // Descenders of "step" reach 3 points below the baseline; tick texts rise half a line.
    EXPECT_EQ(picture.marks_at_border(8), 0) << y.lo << " " << y.hi;
  }
}

TEST(Panel, TitleAndNoteDoNotMeet) {
  const auto picture = testing::drawn([](const auto& path) {
    Canvas canvas(240.0, 80.0);
    const Panel panel({20, 40, 200, 20}, {}, {});
    panel.draw_title(canvas, std::string(100, 'H'), std::string(100, 'H'));
    canvas.write_png(path);
  });
  EXPECT_EQ(picture.marks_at_border(30), 0);
  // Somewhere between title and note there is a free column at least 16 pixels wide.
  int free = 0;
  int widest_gap = 0;
  for (int x = 60; x < 420; ++x) {
    bool empty = true;
    for (int y = 30; y < 66; ++y) empty = empty && picture.at(x, y) == pack_rgb(theme::kPaper);
    free = empty ? free + 1 : 0;
    widest_gap = std::max(widest_gap, free);
  }
  EXPECT_GE(widest_gap, 16);
}

TEST(PanelSize, KeepsOneScaleUnlessThatIsASliver) {
  EXPECT_EQ(panel_size({0, 4}, {0, 4}, 300).y, 300.0);
  EXPECT_EQ(panel_size({0, 4}, {0, 3}, 300).y, 225.0);
  EXPECT_EQ(panel_size({0, 3}, {0, 4}, 300).x, 225.0);
  EXPECT_EQ(panel_size({0, 100}, {0, 1}, 300).y, 300.0);
}

TEST(PointsRange, LeavesOutOutliers) {
  PointList points;
  for (int i = 0; i <= 1000; ++i) points.insert(points.end(), {i / 1000.0, 0.0});
  points.insert(points.end(), {1e9, 0.0});
  const std::optional<Range> x = points_range(points, 0, 0.002);
  ASSERT_TRUE(x);
  EXPECT_LT(x->hi, 1.1);
  EXPECT_FALSE(points_range({}, 0, 0.002));
}

}  // namespace
}  // namespace contraflow::plot
