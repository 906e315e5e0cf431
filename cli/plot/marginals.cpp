#include "cli/plot/marginals.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cli/plot/column_view.h"
#include "cli/plot/panel.h"
#include "cli/plot/small_panels.h"
#include "cli/plot/stats.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotMarginals = "plot.marginals";

/// Height that the axis shows: a model that piles up on one value may not flatten the data.
double shown_height(const std::vector<double>& data, const std::vector<double>& model) {
  const auto highest = [](const std::vector<double>& density) {
    return density.empty() ? 0.0 : *std::max_element(density.begin(), density.end());
  };
  const double top = highest(data);
  const double all =
      top > 0.0 ? std::max(top, std::min(highest(model), 3.0 * top)) : highest(model);
  return all > 0.0 ? 1.08 * all : 1.0;
}

/// Distance of the distribution functions, where there are two.
std::string distance_text(const ColumnView& view) {
  const double distance = ks_distance(view.data, view.model);
  return std::isnan(distance) ? "" : "KS " + format_fixed(distance, 3);
}

void draw_column(Canvas& canvas, const Rect& area, const MarginalColumn& column,
                 const ColumnView& view) {
  const std::vector<double> data =
      view.data.empty() ? std::vector<double>{} : cell_density(view.data, view.edges);
  const std::vector<double> model =
      view.model.empty() ? std::vector<double>{} : cell_density(view.model, view.edges);
  const Panel panel(area, view.axis, Range{0.0, shown_height(data, model)});
  panel.draw_ground(canvas);
  {
    const Canvas::Clip clip(canvas, area);
    if (!data.empty()) canvas.polygon(step_outline(panel, view.edges, data), data_color());
    if (!model.empty()) {
      canvas.polyline(step_outline(panel, view.edges, model),
                      {.color = model_color(), .width = 1.6});
    }
  }
  panel.draw_axes(canvas, "", "", AxisDetail::kTexts, AxisDetail::kNone);
  panel.draw_title(canvas, column.name, distance_text(view));
}

std::string full_subtitle(const Marginals& marginals) {
  const size_t count = marginals.columns.size();
  if (count <= kMostColumns) return marginals.subtitle;
  return marginals.subtitle + (marginals.subtitle.empty() ? "" : " · ") + "the first " +
         std::to_string(kMostColumns) + " of " + std::to_string(count) + " columns";
}

std::vector<LegendEntry> legend_of(const Marginals& marginals,
                                   const std::vector<ColumnView>& views) {
  const auto any = [&](std::vector<double> MarginalColumn::*values) {
    return std::any_of(marginals.columns.begin(), marginals.columns.end(),
                       [&](const auto& column) { return !(column.*values).empty(); });
  };
  const bool data = any(&MarginalColumn::data);
  const bool model = any(&MarginalColumn::model);
  std::vector<LegendEntry> entries;
  if (data) entries.push_back({marginals.data_name, data_color(), Swatch::kBox});
  if (model) entries.push_back({marginals.model_name, model_color()});
  if (data && model) {
    entries.push_back({"KS: largest distance between the two distribution functions",
                       theme::kSoftInk, Swatch::kNone});
  }
  if (std::any_of(views.begin(), views.end(), [](const auto& view) { return view.is_cut(); })) {
    entries.push_back({kCutText, theme::kSoftInk, Swatch::kNone});
  }
  return entries;
}

}  // namespace

void draw_marginals(const Marginals& marginals, const std::filesystem::path& path) {
  if (marginals.columns.empty()) {
    fail<DomainError>(kPlotMarginals, "columns", "at least one column", "none", "Pass a column");
  }
  const size_t count = std::min(marginals.columns.size(), kMostColumns);
  const std::string subtitle = full_subtitle(marginals);
  std::vector<ColumnView> views;
  for (size_t i = 0; i < count; ++i) views.push_back(view_of(marginals.columns[i]));
  SmallPanels panels(count);
  for (const ColumnView& view : views) {
    panels.make_room(bottom_space(view.axis, panels.width(), ""));
  }
  panels.put_below(heading_bottom(marginals.title, subtitle), legend_of(marginals, views));
  Canvas canvas(panels.canvas_width(), panels.canvas_height());
  draw_heading(canvas, marginals.title, subtitle);
  panels.draw_legend_on(canvas);
  for (size_t i = 0; i < count; ++i) {
    draw_column(canvas, panels.area(i), marginals.columns[i], views[i]);
  }
  canvas.write_png(path);
}

}  // namespace contraflow::plot
