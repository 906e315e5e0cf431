#include "cli/plot/pairs.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/plot/column_view.h"
#include "cli/plot/pair_cells.h"
#include "cli/plot/points.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotPairs = "plot.pairs";
constexpr double kPairGap = 7.0;
constexpr double kPairLegendGap = 12.0;
/// Less room for each dot, in square points, and they hide each other.
constexpr double kRoomOfDot = 6.0;
/// Side of a panel on which dots have their full size.
constexpr double kFullSide = 300.0;

void check_pairs(const Pairs& pairs) {
  const size_t count = pairs.columns.size();
  if (count < 2 || count > kMostPairs) {
    fail<DomainError>(kPlotPairs, "columns", "2 to " + std::to_string(kMostPairs),
                      std::to_string(count), "Choose some of the columns");
  }
  for (const MarginalColumn& column : pairs.columns) {
    const MarginalColumn& first = pairs.columns.front();
    if (column.data.size() == first.data.size() && column.model.size() == first.model.size()) {
      continue;
    }
    fail<DomainError>(
        kPlotPairs, column.name,
        std::to_string(first.data.size()) + " rows and " + std::to_string(first.model.size()) +
            " samples, as in the first column",
        std::to_string(column.data.size()) + " and " + std::to_string(column.model.size()),
        "Pass one value per row in every column");
  }
}

/// Panels get smaller with their number, down to a size that still shows two ticks.
double panel_side(size_t count) {
  constexpr std::array<double, kMostPairs + 1> kSides{0, 0, 230, 190, 160, 136, 120, 108, 98};
  return kSides[count];
}

PlacePairs places_of(const MarginalColumn& x, const MarginalColumn& y,
                     std::vector<double> MarginalColumn::*values) {
  PlacePairs rows;
  for (size_t i = 0; i < (x.*values).size(); ++i) {
    rows.x.push_back(x.scale.place((x.*values)[i]));
    rows.y.push_back(y.scale.place((y.*values)[i]));
  }
  return rows;
}

/// Few steps, so that rows lie on each other.
bool is_coarse(const MarginalColumn& column) {
  constexpr double kFewSteps = 60.0;
  const std::vector<double>& values = column.data.empty() ? column.model : column.data;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return column.step > 0.0 && !values.empty() && *most - *least < kFewSteps * column.step;
}

/// Many rows lie on each other as well. As many samples are drawn as rows.
bool draws_dots(const MarginalColumn& x, const MarginalColumn& y, double side) {
  const size_t rows = x.data.empty() ? x.model.size() : x.data.size();
  return !is_coarse(x) && !is_coarse(y) && kRoomOfDot * static_cast<double>(rows) <= side * side;
}

/// Cells wide enough for some rows each.
std::vector<double> pair_edges(const ColumnView& view) {
  const double rows = static_cast<double>(std::max(view.data.size(), view.model.size()));
  const double most = std::clamp(0.45 * std::sqrt(rows), 12.0, 40.0);
  return joined_cells(view.edges, static_cast<size_t>(most));
}

/// The grid: column k of the table is column k of panels, and row k.
class PairGrid {
 public:
  PairGrid(Canvas& canvas, const Pairs& pairs, const std::vector<ColumnView>& views, Point corner)
      : canvas_(canvas), pairs_(pairs), views_(views), corner_(corner) {}

  void draw() const {
    const size_t count = views_.size();
    for (size_t row = 0; row < count; ++row) {
      for (size_t col = 0; col < count; ++col) {
        if (row == col) {
          draw_diagonal(row);
        } else {
          draw_pair(row, col);
        }
      }
    }
  }

 private:
  Rect area(size_t row, size_t col) const {
    const double side = panel_side(views_.size());
    const auto at = [&](size_t k) { return static_cast<double>(k) * (side + kPairGap); };
    return {corner_.x + at(col), corner_.y + at(row), side, side};
  }
  AxisDetail below(size_t row) const {
    return row + 1 == views_.size() ? AxisDetail::kTexts : AxisDetail::kNone;
  }

  void draw_diagonal(size_t k) const {
    const ColumnView& view = views_[k];
    std::vector<double> data, model;
    if (!view.data.empty()) data = cell_density(view.data, view.edges);
    if (!view.model.empty()) model = cell_density(view.model, view.edges);
    double top = 0.0;
    for (const double density : data) top = std::max(top, density);
    // A model that piles up on one value may not flatten the data.
    const double most = top > 0.0 ? 3.0 * top : HUGE_VAL;
    for (const double density : model) top = std::max(top, std::min(density, most));
    const Panel panel(area(k, k), view.axis, Range{0.0, top > 0.0 ? 1.08 * top : 1.0});
    panel.draw_ground(canvas_);
    {
      const Canvas::Clip clip(canvas_, panel.area());
      if (!data.empty()) canvas_.polygon(step_outline(panel, view.edges, data), data_color());
      if (!model.empty()) {
        canvas_.polyline(step_outline(panel, view.edges, model),
                         {.color = model_color(), .width = 1.4});
      }
    }
    panel.draw_axes(canvas_, pairs_.columns[k].name, "", below(k), AxisDetail::kNone);
    if (k == 0) label_first_row(panel);
  }

  /// The ticks of the first panel on the left are those of a density, but its row has a name.
  void label_first_row(const Panel& panel) const {
    const Panel values(panel.area(), Axis(panel.x_range()), views_.front().axis);
    values.draw_axes(canvas_, "", pairs_.columns.front().name, AxisDetail::kNone,
                     AxisDetail::kTexts);
  }

  void draw_pair(size_t row, size_t col) const {
    const MarginalColumn& x = pairs_.columns[col];
    const MarginalColumn& y = pairs_.columns[row];
    const Panel panel(area(row, col), views_[col].axis, views_[row].axis);
    panel.draw_ground(canvas_);
    draw_rows(panel, row, col);
    panel.draw_axes(canvas_, x.name, y.name, below(row),
                    col == 0 ? AxisDetail::kTexts : AxisDetail::kNone);
  }

  /// Of one kind alone both sides of the diagonal show it.
  bool shows_data(size_t row, size_t col) const {
    const MarginalColumn& first = pairs_.columns.front();
    return first.model.empty() || (row > col && !first.data.empty());
  }

  void draw_rows(const Panel& panel, size_t row, size_t col) const {
    const bool lower = shows_data(row, col);
    const MarginalColumn& x = pairs_.columns[col];
    const MarginalColumn& y = pairs_.columns[row];
    const PlacePairs data = places_of(x, y, &MarginalColumn::data);
    const PlacePairs model = places_of(x, y, &MarginalColumn::model);
    const Color color = lower ? series_color(0) : model_color();
    if (draws_dots(x, y, panel.area().width)) {
      PointList points;
      const PlacePairs& rows = lower ? data : model;
      // As many samples as there are rows: equal crowds look alike.
      const size_t most = data.x.empty() ? rows.x.size() : std::min(rows.x.size(), data.x.size());
      for (size_t i = 0; i < most; ++i) points.insert(points.end(), {rows.x[i], rows.y[i]});
      draw_points(canvas_, panel, points,
                  {.color = color, .scale = std::sqrt(panel.area().width / kFullSide)});
      return;
    }
    const std::vector<double> x_edges = pair_edges(views_[col]);
    const std::vector<double> y_edges = pair_edges(views_[row]);
    const PairCells of_data = count_pairs(data, x_edges, y_edges);
    const PairCells of_model = count_pairs(model, x_edges, y_edges);
    const double top = data.x.empty() ? of_model.highest() : of_data.highest();
    if (top > 0.0) draw_pair_cells(canvas_, panel, lower ? of_data : of_model, top, color);
  }

  Canvas& canvas_;
  const Pairs& pairs_;
  const std::vector<ColumnView>& views_;
  Point corner_;
};

std::vector<LegendEntry> legend_of(const Pairs& pairs, const std::vector<ColumnView>& views) {
  std::vector<LegendEntry> entries;
  const bool data = !pairs.columns.front().data.empty();
  const bool model = !pairs.columns.front().model.empty();
  if (data) {
    entries.push_back({pairs.data_name + (model ? ": filled, and below the diagonal" : ""),
                       data_color(), Swatch::kBox});
  }
  if (model) {
    entries.push_back(
        {pairs.model_name + (data ? ": line, and above the diagonal" : ""), model_color()});
  }
  bool counted = false;
  for (const MarginalColumn& x : pairs.columns) {
    for (const MarginalColumn& y : pairs.columns)
      counted = counted || !draws_dots(x, y, panel_side(pairs.columns.size()));
  }
  if (counted) {
    entries.push_back({"shades: rows in a cell, darker for more", theme::kSoftInk, Swatch::kNone});
  }
  if (std::any_of(views.begin(), views.end(), [](const auto& view) { return view.is_cut(); })) {
    entries.push_back({kCutText, theme::kSoftInk, Swatch::kNone});
  }
  return entries;
}

}  // namespace

void draw_pairs(const Pairs& pairs, const std::filesystem::path& path) {
  check_pairs(pairs);
  std::vector<ColumnView> views;
  for (const MarginalColumn& column : pairs.columns) {
    views.push_back(view_of(column));
    views.back().axis.crowded = true;
  }
  const double side = panel_side(views.size());
  double left = 0.0;
  double below = 0.0;
  for (size_t k = 0; k < views.size(); ++k) {
    left = std::max(left, left_space(views[k].axis, side, pairs.columns[k].name));
    below = std::max(below, bottom_space(views[k].axis, side, pairs.columns[k].name));
  }
  left += theme::kMargin;
  const double count = static_cast<double>(views.size());
  const double width = count * (side + kPairGap) - kPairGap;
  const std::vector<LegendEntry> legend = legend_of(pairs, views);
  const double legend_top = heading_bottom(pairs.title, pairs.subtitle);
  const double top = legend_top + legend_height(legend, width) + kPairLegendGap;
  // The last text below may reach a little beyond its panel.
  Canvas canvas(left + width + theme::kMargin, top + width + below + theme::kMargin);
  draw_heading(canvas, pairs.title, pairs.subtitle);
  draw_legend(canvas, {left, legend_top}, width, legend);
  PairGrid(canvas, pairs, views, {left, top}).draw();
  canvas.write_png(path);
}

}  // namespace contraflow::plot
