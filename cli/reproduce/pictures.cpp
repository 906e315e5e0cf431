#include "cli/reproduce/pictures.h"

#include <algorithm>
#include <cmath>

#include "cli/figure_data.h"
#include "cli/plot/color.h"
#include "cli/plot/curves.h"
#include "cli/plot/density_sheet.h"
#include "contraflow/runs/model.h"
#include "contraflow/runs/run_config.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string text_of(const Json& row, const char* key) { return row[key].get<std::string>(); }

/// The distinct values of a key, in the order of the rows.
std::vector<std::string> distinct(const std::vector<Json>& rows, const char* key) {
  std::vector<std::string> out;
  for (const Json& row : rows) {
    const std::string value = text_of(row, key);
    if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
  }
  return out;
}

std::vector<Json> rows_of(const std::vector<Json>& rows, RowKind kind) {
  std::vector<Json> out;
  for (const Json& row : rows) {
    if (text_of(row, "kind") == enum_name(kind)) out.push_back(row);
  }
  return out;
}

std::vector<double> numbers(const Json& list) {
  std::vector<double> out;
  for (const Json& value : list) {
    out.push_back(value.is_number() ? value.get<double>() : std::nan(""));  // null: not finite
  }
  return out;
}

// ------------------------------------------------------------------------------- density sheet

plot::Range box_of(const data::Columns& columns) {
  constexpr double kDefault = 4.0;
  const double side = columns.plot_box.value_or(kDefault);
  return {-side, side};
}

plot::SheetCell data_cell(const Model& model) {
  constexpr int64_t kPoints = 100'000;
  const data::Dataset dataset = open_data(model);
  const data::Source& test = split_of(dataset, "test");
  const int64_t rows = std::min(kPoints, test.size().value_or(kPoints));
  const plot::Range box = box_of(model.columns);
  return {.log_density = plot::counted(points_of(test.rows(0, rows).x), box, box),
          .note = model.columns.entropy ? "entropy " + fixed(*model.columns.entropy, 3) : "",
          .smooth = false};
}

plot::SheetCell model_cell(const Model& model, const Json& row) {
  constexpr int64_t kCells = 120;
  const plot::Range box = box_of(model.columns);
  return {.log_density = density_grid(*model.flow, box, box, kCells, {}),
          .note = fixed(row["nll"].get<double>(), 3)};
}

// Those that the row's number was measured with.
WeightChoice weights_of(const std::string& name) {
  for (const auto& [text, choice] : enum_names(WeightChoice{})) {
    if (name == text) return choice;
  }
  return WeightChoice::kSelected;
}

bool has_checkpoints(const std::vector<Json>& rows, const fs::path& runs) {
  return std::all_of(rows.begin(), rows.end(), [&](const Json& row) {
    return fs::exists(runs / text_of(row, "row") / "checkpoint.safetensors");
  });
}

plot::SheetRow sheet_row(const std::string& data, const std::vector<std::string>& models,
                         const std::vector<Json>& rows, const fs::path& runs) {
  plot::SheetRow out{.label = data};
  out.cells.resize(models.size() + 1);
  for (const Json& row : rows) {
    if (text_of(row, "data") != data) continue;
    const Model model =
        load(runs / text_of(row, "row"),
             {.dtype = FloatType::kFloat32, .weights = weights_of(text_of(row, "weights"))});
    if (!out.cells[0].log_density) out.cells[0] = data_cell(model);
    const auto place = std::find(models.begin(), models.end(), text_of(row, "model"));
    out.cells[static_cast<size_t>(place - models.begin()) + 1] = model_cell(model, row);
  }
  return out;
}

void draw_sheet(const Table& table, const std::vector<Json>& rows, const fs::path& runs,
                const fs::path& path) {
  const std::vector<std::string> models = distinct(rows, "model");
  plot::DensitySheet sheet{.title = table.options.title,
                           .subtitle = "numbers: -log p(x) on held-out rows, nats",
                           .columns = {"data"}};
  sheet.columns.insert(sheet.columns.end(), models.begin(), models.end());
  for (const std::string& data : distinct(rows, "data")) {
    sheet.rows.push_back(sheet_row(data, models, rows, runs));
  }
  plot::draw_density_sheet(sheet, path);
}

// ----------------------------------------------------------------------------------- curves

void draw_objectives(const Table& table, const std::vector<Json>& rows, const fs::path& path) {
  plot::Curves figure{.title = table.options.title,
                      .subtitle = "dashed: what the objective claims; line: what is true",
                      .y_label = "-log p(x) (nats)"};
  for (size_t k = 0; k < rows.size(); ++k) {
    const Json& trace = rows[k]["trace"];
    const std::string name = text_of(rows[k], "model");
    const std::vector<double> steps = numbers(trace["step"]);
    figure.series.push_back({.name = name,
                             .step = steps,
                             .value = numbers(trace["true"]),
                             .error = numbers(trace["true_standard_error"]),
                             .style = plot::CurveStyle::kLine,
                             .color = k});
    figure.series.push_back({.name = "its claim",
                             .step = steps,
                             .value = numbers(trace["claimed"]),
                             .style = plot::CurveStyle::kDashed,
                             .color = k});
  }
  if (rows.front()["entropy"].is_number()) {
    const double entropy = rows.front()["entropy"];
    figure.references.push_back({entropy, "entropy " + fixed(entropy, 3)});
  }
  plot::draw_curves(figure, path);
}

void draw_fits(const std::string& target, const std::vector<Json>& rows, const fs::path& path) {
  plot::Curves figure{.title = "Fitted maps of the line: " + target,
                      .subtitle = "mean squared errors in brackets",
                      .x_label = "x",
                      .y_label = "y"};
  plot::Series truth{.name = "target", .style = plot::CurveStyle::kTruth};
  for (const Json& row : rows) {
    if (text_of(row, "data") != target) continue;
    const std::vector<double> x = numbers(row["curve"]["x"]);
    const std::vector<double> wanted = numbers(row["curve"]["target"]);
    if (truth.step.empty()) {
      const auto [low, high] = std::minmax_element(wanted.begin(), wanted.end());
      const double margin = 0.08 * (*high - *low);
      figure.y = plot::Range{*low - margin, *high + margin};
      truth.step = x;
      truth.value = wanted;
    }
    figure.series.push_back(
        {.name = text_of(row, "model") + " (" + scientific(row["mse"].get<double>()) + ")",
         .step = x,
         .value = numbers(row["curve"]["fitted"]),
         .style = figure.series.size() < plot::kSeriesColors ? plot::CurveStyle::kLine
                                                             : plot::CurveStyle::kDashed});
  }
  figure.series.push_back(std::move(truth));  // above the fits, which hide it where they are good
  plot::draw_curves(figure, path);
}

}  // namespace

std::vector<std::string> draw_table_pictures(const Table& table, const std::vector<Json>& rows,
                                             const fs::path& runs, const fs::path& folder) {
  fs::create_directories(folder);
  std::vector<std::string> drawn;
  const auto add = [&](const std::string& name) {
    drawn.push_back(folder.filename().string() + "/" + name);
    return folder / name;
  };
  std::vector<Json> maps;
  for (const Json& row : rows) {
    if (row.contains("picture")) maps.push_back(row);
  }
  if (!maps.empty()) {
    const fs::path path = add("sheet.png");
    if (has_checkpoints(maps, runs)) draw_sheet(table, maps, runs, path);
    if (!fs::exists(path)) drawn.pop_back();
  }
  for (const Json& row : rows) {
    if (!row.contains("samples")) continue;
    const fs::path path = add(text_of(row, "row") + ".png");
    const fs::path own = runs / text_of(row, "row") / text_of(row, "samples");
    if (fs::exists(own)) fs::copy_file(own, path, fs::copy_options::overwrite_existing);
    if (!fs::exists(path)) drawn.pop_back();
  }
  const std::vector<Json> biased = rows_of(rows, RowKind::kBias);
  if (!biased.empty()) draw_objectives(table, biased, add("objectives.png"));
  const std::vector<Json> fits = rows_of(rows, RowKind::kRegression);
  for (const std::string& target : distinct(fits, "data")) {
    draw_fits(target, fits, add("fit-" + target + ".png"));
  }
  return drawn;
}

}  // namespace contraflow::cli
