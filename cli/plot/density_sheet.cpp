#include "cli/plot/density_sheet.h"

#include <algorithm>
#include <cmath>

#include "cli/plot/stats.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotDensitySheet = "plot.density_sheet";
constexpr size_t kMostLines = 40;
constexpr double kSheetSide = 130.0;
constexpr double kGap = 14.0;
constexpr double kNoteSpace = 17.0;
constexpr double kRowLabelGap = 12.0;
constexpr double kTop = 0.999;  // quantile of the densities: single spikes do not set the scale

TextStyle label_of_row() {
  return {.size = theme::kLabelSize, .bold = true, .color = theme::kInk, .horizontal = Align::kEnd};
}

void check_sheet(const DensitySheet& sheet) {
  const bool fits = !sheet.columns.empty() && sheet.columns.size() <= kMostLines &&
                    !sheet.rows.empty() && sheet.rows.size() <= kMostLines;
  if (!fits) {
    fail<DomainError>(kPlotDensitySheet, "sheet", "1 to 40 columns and rows",
                      std::to_string(sheet.columns.size()) + " columns, " +
                          std::to_string(sheet.rows.size()) + " rows",
                      "Draw several sheets");
  }
  for (const SheetRow& row : sheet.rows) {
    if (row.cells.size() != sheet.columns.size()) {
      fail<DomainError>(kPlotDensitySheet, row.label,
                        std::to_string(sheet.columns.size()) + " cells",
                        std::to_string(row.cells.size()), "Leave cells free that have no map");
    }
    for (const SheetCell& cell : row.cells) {
      if (cell.log_density) check_grid(kPlotDensitySheet, row.label, *cell.log_density);
    }
  }
}

Grid density_of(const Grid& log_density) {
  Grid grid = log_density;
  for (double& value : grid.values) value = std::exp(value);
  return grid;
}

ColorScale scale_of(const SheetRow& row) {
  double top = 0.0;
  // Counts are noisy: they set the scale only where nothing else does.
  for (const bool smooth : {true, false}) {
    for (const SheetCell& cell : row.cells) {
      if (!cell.log_density || cell.smooth != smooth) continue;
      const std::vector<double> sorted = sorted_finite(density_of(*cell.log_density).values);
      if (!sorted.empty()) top = std::max(top, quantile(sorted, kTop));
    }
    if (top > 0.0) break;
  }
  return {.range = {0.0, top > 0.0 ? top : 1.0}};
}

void draw_cell(Canvas& canvas, Point corner, const SheetCell& cell, const ColorScale& scale) {
  const Rect area{corner.x, corner.y, kSheetSide, kSheetSide};
  const Range none{};
  const Panel panel(area, cell.log_density ? cell.log_density->x : none,
                    cell.log_density ? cell.log_density->y : none);
  panel.draw_ground(canvas);
  if (cell.log_density) draw_heat(canvas, panel, density_of(*cell.log_density), scale, cell.smooth);
  canvas.frame(area, {.color = theme::kFrame});
  const TextStyle style{
      .size = theme::kTickSize, .color = theme::kSoftInk, .horizontal = Align::kMiddle};
  canvas.text({corner.x + 0.5 * kSheetSide, area.bottom() + 0.6 * kNoteSpace},
              ellipsized(cell.note, style, kSheetSide), style);
}

}  // namespace

void draw_density_sheet(const DensitySheet& sheet, const std::filesystem::path& path) {
  check_sheet(sheet);
  double labels = 0.0;
  for (const SheetRow& row : sheet.rows) {
    labels = std::max(labels, text_width(row.label, label_of_row()));
  }
  const double left = theme::kMargin + labels + kRowLabelGap;
  const double top = heading_bottom(sheet.title, sheet.subtitle) + kPanelTitleSpace;
  const double right =
      left + static_cast<double>(sheet.columns.size()) * (kSheetSide + kGap) - kGap;
  const double pitch = kSheetSide + kNoteSpace + kGap;
  Canvas canvas(right + theme::kMargin,
                top + static_cast<double>(sheet.rows.size()) * pitch - kGap + theme::kMargin);
  draw_heading(canvas, sheet.title, sheet.subtitle);
  const TextStyle head{.size = theme::kPanelTitleSize,
                       .bold = true,
                       .color = theme::kInk,
                       .horizontal = Align::kMiddle};
  for (size_t c = 0; c < sheet.columns.size(); ++c) {
    const double middle = left + static_cast<double>(c) * (kSheetSide + kGap) + 0.5 * kSheetSide;
    canvas.text({middle, top - 0.5 * kPanelTitleSpace},
                ellipsized(sheet.columns[c], head, kSheetSide), head);
  }
  for (size_t r = 0; r < sheet.rows.size(); ++r) {
    const SheetRow& row = sheet.rows[r];
    const ColorScale scale = scale_of(row);
    const double y = top + static_cast<double>(r) * pitch;
    canvas.text({left - kRowLabelGap, y + 0.5 * kSheetSide}, row.label, label_of_row());
    for (size_t c = 0; c < row.cells.size(); ++c) {
      const double x = left + static_cast<double>(c) * (kSheetSide + kGap);
      draw_cell(canvas, {x, y}, row.cells[c], scale);
    }
  }
  canvas.write_png(path);
}

}  // namespace contraflow::plot
