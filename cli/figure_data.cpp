#include "cli/figure_data.h"

#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/evaluation/samples.h"
#include "contraflow/evaluation/scores.h"

namespace contraflow::cli {
namespace {

std::vector<double> centers(plot::Range range, int64_t cells) {
  std::vector<double> out;
  const double width = range.width() / static_cast<double>(cells);
  for (int64_t i = 0; i < cells; ++i)
    out.push_back(range.lo + (static_cast<double>(i) + 0.5) * width);
  return out;
}

// Centres of cells, [cells^2, 2], row after row.
at::Tensor grid_points(plot::Range x, plot::Range y, int64_t cells) {
  const at::Tensor columns = at::tensor(centers(x, cells)), rows = at::tensor(centers(y, cells));
  return at::stack({columns.repeat({cells}), rows.repeat_interleave(cells)}, 1);
}

void append(plot::Series& series, double step, const nlohmann::ordered_json& value) {
  if (!value.is_number()) return;
  series.step.push_back(step);
  series.value.push_back(value.get<double>());
}

}  // namespace

plot::PointList points_of(const at::Tensor& rows) {
  const at::Tensor flat = rows.to(at::kCPU, at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

std::vector<double> column_of(const at::Tensor& rows, int64_t column) {
  return points_of(rows.select(1, column));
}

plot::Grid energy_grid(EnergyKind kind, plot::Range x, plot::Range y, int64_t cells) {
  const double log_z = log_normaliser(kind);
  return {.rows = cells,
          .cols = cells,
          .x = x,
          .y = y,
          .values = points_of(-energy(kind, grid_points(x, y, cells)) - log_z)};
}

plot::Grid density_grid(const Flow& flow, plot::Range x, plot::Range y, int64_t cells,
                        const at::Tensor& given) {
  return {.rows = cells,
          .cols = cells,
          .x = x,
          .y = y,
          .values = points_of(log_prob_at(flow, grid_points(x, y, cells), given))};
}

RunCurves read_curves(const std::filesystem::path& metrics) {
  std::ifstream in(metrics, std::ios::binary);
  if (!in) {
    fail<IoError>("plot", metrics.string(), "the metrics of a run", "none that can be read",
                  "Name the run folder; a checkpoint alone has no curves.");
  }
  RunCurves out;
  out.training = {.name = "training batch", .style = plot::CurveStyle::kNoisy};
  out.validation = {.name = "validation", .style = plot::CurveStyle::kMarkers};
  out.learning_rate = {.name = "learning rate"};
  for (std::string text; std::getline(in, text);) {
    const auto line = try_parse_json(text);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number()) continue;
    const double step = line["step"];
    append(out.training, step, line.value("loss", nlohmann::ordered_json()));
    append(out.learning_rate, step, line.value("learning_rate", nlohmann::ordered_json()));
    const size_t before = out.validation.value.size();
    append(out.validation, step, line.value("validation_loss", nlohmann::ordered_json()));
    if (out.validation.value.size() == before) continue;
    const auto error = line.value("validation_standard_error", nlohmann::ordered_json());
    out.validation.error.push_back(error.is_number() ? error.get<double>() : 0.0);
  }
  return out;
}

}  // namespace contraflow::cli
