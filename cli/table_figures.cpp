#include "cli/table_figures.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "cli/column_choice.h"
#include "cli/figure_data.h"
#include "cli/plot/marginals.h"
#include "cli/plot/pairs.h"
#include "contraflow/evaluation/samples.h"

namespace contraflow::cli {
namespace {

constexpr int64_t kTableRows = 20'000;

/// Rows of the data, if they are there, and samples; of some columns.
struct TableRows {
  at::Tensor data, samples;
};

TableRows table_rows(const FigureInput& input) {
  return {figure_rows(input, kTableRows),
          draw_samples(input.flow, input.samples, figure_rng(), input.given)};
}

std::vector<double> values_of(const at::Tensor& rows, int64_t column) {
  return rows.defined() ? column_of(rows, column) : std::vector<double>{};
}

plot::MarginalColumn table_column(const FigureInput& input, const TableRows& rows, int64_t k) {
  const auto place = static_cast<size_t>(k);
  plot::MarginalColumn column{.name = drawn_name(input.columns, place),
                              .data = values_of(rows.data, k),
                              .model = values_of(rows.samples, k),
                              .step = step_of(input.columns, place)};
  std::vector<double> all = column.data;
  all.insert(all.end(), column.model.begin(), column.model.end());
  column.scale = axis_scale(input.columns, place, std::move(all));
  return column;
}

std::vector<plot::MarginalColumn> table_columns(const FigureInput& input, size_t most) {
  const TableRows rows = table_rows(input);
  std::vector<plot::MarginalColumn> columns;
  for (const int64_t k : shown_columns(input, most)) {
    columns.push_back(table_column(input, rows, k));
  }
  return columns;
}

}  // namespace

std::vector<int64_t> shown_columns(const FigureInput& input, size_t most) {
  const int64_t dim = input.columns.dim();
  std::vector<int64_t> order = input.chosen;
  const bool alike = input.columns.levels > 0 && input.dataset != nullptr;
  if (order.empty() && alike && dim > static_cast<int64_t>(most)) {
    const at::Tensor spread = figure_rows(input, kTableRows).std(0);
    const at::Tensor by_spread = spread.argsort(0, /*descending=*/true);
    for (int64_t k = 0; k < static_cast<int64_t>(most); ++k) {
      order.push_back(by_spread[k].item<int64_t>());
    }
    std::sort(order.begin(), order.end());
  }
  if (order.empty()) {
    order.resize(static_cast<size_t>(dim));
    std::iota(order.begin(), order.end(), int64_t{0});
  }
  if (order.size() > most) order.resize(most);
  return order;
}

void draw_columns(const FigureInput& input, const std::filesystem::path& path) {
  plot::draw_marginals({.title = input.title, .columns = table_columns(input, plot::kMostColumns)},
                       path);
}

void draw_column_pairs(const FigureInput& input, const std::filesystem::path& path) {
  plot::draw_pairs({.title = input.title, .columns = table_columns(input, plot::kMostPairs)}, path);
}

}  // namespace contraflow::cli
