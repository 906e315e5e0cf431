#include "cli/plot/pairs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cli/plot/column_maps.h"
#include "cli/plot/column_view.h"
#include "cli/plot/pair_cells.h"
#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using testing::drawn;
using testing::kFreeBorder;

Pairs table(size_t count, bool with_data = true) {
  Pairs pairs;
  pairs.title = "table";
  for (size_t k = 0; k < count; ++k) {
    MarginalColumn column{.name = std::string(40, 'W') + std::to_string(k)};
    for (int i = 0; i < 300; ++i) {
      const double value = 1e9 + std::sin(0.7 * (static_cast<double>(k) + 1.0) * i);
      if (with_data) column.data.push_back(value);
      column.model.push_back(value);
    }
    pairs.columns.push_back(column);
  }
  return pairs;
}

/// Cairo rounds channels in its own way.
int64_t count_near(const testing::Picture& picture, const Color& color) {
  int64_t found = 0;
  for (int y = 0; y < picture.height(); ++y) {
    for (int x = 0; x < picture.width(); ++x) {
      const uint32_t at = picture.at(x, y);
      const auto channel = [at](int shift) { return static_cast<double>(at >> shift & 0xFFU); };
      const bool near = std::abs(channel(16) - 255.0 * color.r) < 2.0 &&
                        std::abs(channel(8) - 255.0 * color.g) < 2.0 &&
                        std::abs(channel(0) - 255.0 * color.b) < 2.0;
      found += near ? 1 : 0;
    }
  }
  return found;
}

TEST(Pairs, TwoToEightColumnsKeepTheBorder) {
  for (const size_t count : {2U, 3U, 5U, 8U}) {
    for (const bool with_data : {true, false}) {
      const auto picture =
          drawn([&](const auto& path) { draw_pairs(table(count, with_data), path); });
      EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0) << count;
      EXPECT_EQ(count_near(picture, data_color()) > 100, with_data);
    }
  }
}

TEST(Pairs, MisuseIsADomainError) {
  const testing::TempFolder folder;
  EXPECT_THROW(draw_pairs(table(1), folder / "a.png"), DomainError);
  EXPECT_THROW(draw_pairs(table(9), folder / "a.png"), DomainError);
  Pairs pairs = table(3);
  pairs.columns[1].data.pop_back();
  EXPECT_THROW(draw_pairs(pairs, folder / "a.png"), DomainError);
}

TEST(PairCells, CountSharesOverAreas) {
  const PairCells cells =
      count_pairs({{0.5, 0.5, 3.0, 9.0}, {0.5, 0.5, 0.5, 0.5}}, {0, 1, 5}, {0, 1});
  EXPECT_EQ(cells.density, (std::vector<double>{0.5, 0.0625}));
  EXPECT_EQ(cells.highest(), 0.5);
}

TEST(ColumnView, CellsOfIntegersAreAroundThem) {
  MarginalColumn column{.name = "rooms", .step = 1.0};
  for (int i = 0; i < 100; ++i) column.data.push_back(1.0 + i % 8);
  const ColumnView view = view_of(column);
  ASSERT_EQ(view.edges.size(), 9U);
  EXPECT_DOUBLE_EQ(view.edges.front(), 0.5);
  EXPECT_DOUBLE_EQ(view.edges.back(), 8.5);

  // Many values: several to a cell, and still none on an edge.
  column.data.clear();
  for (int i = 0; i < 5000; ++i) column.data.push_back(3.0 * i);
  column.step = 3.0;
  for (const double edge : view_of(column).edges) {
    EXPECT_NEAR(std::abs(std::remainder(edge, 3.0)), 1.5, 1e-9);
  }
}

TEST(ColumnView, CellsOfCountsHoldWholeValues) {
  MarginalColumn column{.name = "visits", .scale = {AxisKind::kLogOnePlus, 0.0, 1.0}, .step = 1.0};
  for (int i = 0; i < 3000; ++i) column.data.push_back(std::floor(std::exp(0.003 * i)) - 1.0);
  const ColumnView view = view_of(column);
  EXPECT_EQ(view.data.size(), 3000U) << "zeros have a place";
  EXPECT_NEAR(column.scale.value(view.edges[0]), -0.5, 1e-9);
  EXPECT_NEAR(column.scale.value(view.edges[1]), 0.5, 1e-9) << "zero is alone";
  for (const double edge : view.edges) {
    EXPECT_NEAR(std::abs(std::remainder(column.scale.value(edge), 1.0)), 0.5, 1e-6);
  }
}

TEST(ColumnView, SeparateClumpsAreResolved) {
  MarginalColumn column{.name = "mix"};
  for (int i = 0; i < 600; ++i)
    column.data.push_back((i % 2 == 0 ? -2.0 : 2.0) + 0.4 * std::sin(i));
  EXPECT_GE(view_of(column).edges.size(), 24U);
}

TEST(ColumnMaps, CurvesKnotsAndQuantilesAreDrawn) {
  ColumnMaps maps{.title = "maps", .quantile_text = "quantiles"};
  for (size_t k = 0; k < 7; ++k) {
    ColumnCurve curve{.name = std::string(50, 'W'), .note = "5 knots"};
    for (int i = 0; i <= 100; ++i) {
      curve.score.push_back(-3.5 + 0.07 * i);
      curve.value.push_back(1.7e9 + curve.score.back());
    }
    curve.knots = {1.7e9 - 2.0, 1.7e9, 1.7e9 + 2.0};
    curve.quantiles = {1.7e9 - 1.0, 1.7e9 + 1.0};
    maps.curves.push_back(curve);
  }
  const auto picture = drawn([&](const auto& path) { draw_column_maps(maps, path); });
  EXPECT_EQ(picture.marks_at_border(kFreeBorder), 0);
  EXPECT_GT(picture.count(series_color(0)), 500);
  EXPECT_GT(picture.count(series_color(1)), 100);
  maps.curves[0].score.pop_back();
  const testing::TempFolder folder;
  EXPECT_THROW(draw_column_maps(maps, folder / "a.png"), DomainError);
}

}  // namespace
}  // namespace contraflow::plot
