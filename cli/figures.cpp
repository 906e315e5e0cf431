#include "cli/figures.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "cli/column_choice.h"
#include "cli/console.h"
#include "cli/figure_data.h"
#include "cli/plot/density_map.h"
#include "contraflow/core/estimate.h"
#include "contraflow/core/number_text.h"
#include "contraflow/core/text.h"
#include "contraflow/data/weights.h"
#include "contraflow/evaluation/samples.h"
#include "contraflow/training/objective_registry.h"

namespace contraflow::cli {
namespace {

constexpr int64_t kGridCells = 160;

// The rows of the class that was given; all of them where other numbers are given, which hardly any
// row has exactly.
at::Tensor rows_given(const FigureInput& input, const data::Batch& batch) {
  if (!input.given.defined() || !input.columns.condition.empty()) return batch.x;
  const at::Tensor same = batch.condition.eq(input.given.to(batch.condition.options())).all(1);
  const at::Tensor chosen = batch.x.index_select(0, same.nonzero().squeeze(1));
  return chosen.size(0) > 1 ? chosen : batch.x;
}

std::string count_note(int64_t count) { return format_count(count) + " points"; }

bool has_target(const FigureInput& input) {
  return input.dataset != nullptr && find_energy(input.dataset->name).has_value();
}

plot::PointList data_points(const FigureInput& input, int64_t most) {
  const at::Tensor rows = figure_rows(input, most);
  return rows.defined() ? points_of(rows) : plot::PointList{};
}

Box box_of(const FigureInput& input, const plot::PointList& points) {
  if (input.columns.plot_box) {
    const double side = *input.columns.plot_box;
    return {{-side, side}, {-side, side}};
  }
  constexpr double kTail = 0.002;
  Box box{plot::points_range(points, 0, kTail).value_or(plot::Range{-1, 1}),
          plot::points_range(points, 1, kTail).value_or(plot::Range{-1, 1})};
  const auto cut = [](plot::Range& range, double low, double high) {
    range.lo = std::max(range.lo, low);
    range.hi = std::min(range.hi, high);
  };
  // There is no density outside of the bounds.
  for (plot::Range* range : {&box.x, &box.y}) {
    if (input.columns.bounds.size() != 2) continue;
    cut(*range, input.columns.bounds[0], input.columns.bounds[1]);
  }
  for (size_t c = 0; c < input.columns.infos.size(); ++c) {
    const ColumnInfo& info = input.columns.infos[c];
    plot::Range& range = c == 0 ? box.x : box.y;
    cut(range, info.low().value_or(range.lo), info.high().value_or(range.hi));
  }
  return box;
}

}  // namespace

std::optional<LeastLoss> least_loss(const RunConfig& config, const data::Columns& columns) {
  if (find_objective(config.training.objective, "train").needs_energy) {
    return LeastLoss{-log_normaliser(energy_of(config).value()), "-log Z"};
  }
  if (columns.entropy) return LeastLoss{*columns.entropy, "entropy"};
  return std::nullopt;
}

std::string title_of(const data::Dataset& dataset) { return title_of(dataset.name); }

std::string title_of(const std::string& name) {
  return drawn_title(std::filesystem::path(name).filename().string());
}

Rng figure_rng() { return Rng(0).fork("figures"); }

const data::Source& figure_source(const data::Dataset& dataset) {
  const data::Splits& splits = dataset.splits;
  return splits.test ? *splits.test : splits.validation ? *splits.validation : *splits.train;
}

at::Tensor figure_rows(const FigureInput& input, int64_t most) {
  if (input.dataset == nullptr) return {};
  const data::Source& source = figure_source(*input.dataset);
  // Of one class among many there are fewer: look at more rows for them.
  const int64_t wanted =
      most * std::max<int64_t>(1, input.given.defined() ? input.columns.classes : 1);
  const int64_t rows = std::min(wanted, source.size().value_or(wanted));
  const at::Tensor x = rows_given(input, data::rows_by_weight(source.rows(0, rows)));
  return x.narrow(0, 0, std::min(most, x.size(0))).to(at::kDouble);
}

bool has_density_map(const data::Columns& columns) {
  return columns.dim() == 2 && !columns.has_steps();
}

bool is_image(const data::Columns& columns) {
  return columns.levels > 1 && columns.image.size() == 3 &&
         (columns.image[0] == 1 || columns.image[0] == 3);
}

void draw_density(const FigureInput& input, const std::filesystem::path& path) {
  const plot::PointList data = data_points(input, 100'000);
  const plot::PointList shown(data.begin(),
                              data.begin() + std::min(std::ssize(data), 2 * input.samples));
  const plot::PointList samples =
      points_of(draw_samples(input.flow, input.samples, figure_rng(), input.given));
  const Box box = box_of(input, data.empty() ? samples : data);
  plot::DensityMap map{.title = input.title,
                       .x_label = drawn_name(input.columns, 0),
                       .y_label = drawn_name(input.columns, 1),
                       .x = box.x,
                       .y = box.y};
  if (!data.empty() && !has_target(input)) {
    map.panels.push_back(
        {.title = "data", .note = count_note(std::ssize(shown) / 2), .points = shown});
  }
  map.panels.push_back(
      {.title = "model samples", .note = count_note(std::ssize(samples) / 2), .points = samples});
  // Panels in colours stand together, beside their colour bar.
  if (has_target(input)) {
    const auto target = find_energy(input.dataset->name);
    map.panels.push_back({.title = "target exp(-U) / Z",
                          .log_density = energy_grid(*target, box.x, box.y, kGridCells)});
  }
  map.panels.push_back(
      {.title = "model density",
       .log_density = density_grid(input.flow, box.x, box.y, kGridCells, input.given)});
  plot::draw_density_map(map, path);
}

void draw_base_warp(const FigureInput& input, const std::filesystem::path& path) {
  const plot::PointList data = data_points(input, input.samples);
  const Box box = box_of(input, data.empty() ? points_of(draw_samples(input.flow, input.samples,
                                                                      figure_rng(), input.given))
                                             : data);
  const auto carried = [&](const std::vector<plot::PointList>& lines) {
    return warp_lines(input.flow, lines, {box.x, box.y}, input.given);
  };
  const plot::Warp warp{.title = input.title,
                        .grid = carried(plot::disc_grid(3.0, 0.25, 200)),
                        .contours = carried(plot::normal_contours({1.0, 2.0, 3.0}, 400)),
                        .data_points = data,
                        .x = box.x,
                        .y = box.y,
                        .x_label = drawn_name(input.columns, 0),
                        .y_label = drawn_name(input.columns, 1)};
  plot::draw_warp(warp, path);
}

void draw_run_curves(const std::filesystem::path& metrics, const std::optional<LeastLoss>& least,
                     const data::Columns& columns, const std::string& title,
                     const std::filesystem::path& path) {
  RunCurves curves = read_curves(metrics);
  plot::Curves figure{.title = title};
  figure.best = plot::lowest_point(curves.validation);
  if (figure.best && columns.levels > 0) {
    const double bits = bits_per_dim(figure.best->value, columns.dim());
    figure.best->label += " (" + fixed(bits, 3) + " bits/dim)";
  }
  for (plot::Series* series : {&curves.training, &curves.validation}) {
    if (!series->value.empty()) figure.series.push_back(std::move(*series));
  }
  if (least) figure.references.push_back({least->nats, least->name + " " + fixed(least->nats, 3)});
  const std::vector<double>& rate = curves.learning_rate.value;
  const bool varies = std::any_of(rate.begin(), rate.end(), [&](double r) { return r != rate[0]; });
  if (varies) figure.learning_rate = std::move(curves.learning_rate);
  plot::draw_curves(figure, path);
}

}  // namespace contraflow::cli
