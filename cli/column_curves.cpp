// The curves in front of a flow, from the columns of a table to normal scores.
#include <ATen/ATen.h>

#include <algorithm>

#include "cli/column_choice.h"
#include "cli/figure_data.h"
#include "cli/plot/column_maps.h"
#include "cli/plot/stats.h"
#include "cli/table_figures.h"
#include "contraflow/evaluation/scores.h"
#include "contraflow/transforms/column_map.h"
#include "contraflow/transforms/marginal_dequantize.h"
#include "contraflow/transforms/marginal_spline.h"
#include "contraflow/transforms/standardize.h"

namespace contraflow::cli {
namespace {

constexpr int64_t kCurvePoints = 600;
constexpr double kFarthestScore = 3.5;

std::string type_of(const Transform& transform) { return transform.spec().value("type", ""); }

bool is_marginal(const std::string& type) {
  return type == MarginalSpline::kType || type == MarginalDequantize::kType;
}

/// The members of a flow that see one column at a time, up to the last curve; none if a member in
/// between mixes columns.
std::vector<TransformPtr> front_members(const Flow& flow) {
  std::vector<TransformPtr> front, taken;
  for (const Member& member : flow.transform()->members()) {
    const std::string type = type_of(*member.transform);
    const bool curve = is_marginal(type);
    if (!curve && type != ColumnMap::kType && type != Standardize::kType) break;
    taken.push_back(member.transform);
    if (curve) front = taken;
  }
  return front;
}

/// From what the members after `first` take, such as scores, back to values.
at::Tensor back_to_values(const FigureInput& input, const std::vector<TransformPtr>& front,
                          at::Tensor z, size_t first) {
  const at::NoGradGuard no_grad;
  const at::TensorOptions kind = kind_of(input.flow);
  for (size_t k = first; k-- > 0;) {
    // Those on the data's side compute in float64, so that no digits are lost.
    z = front[k]->inverse(z.to(front[k]->data_side() ? kind.dtype(at::kDouble) : kind)).value;
  }
  return z;
}

/// The knots of every column in values, and a word for each.
struct Knots {
  std::vector<std::vector<double>> values;
  std::vector<std::string> notes;
};

int64_t entry_for(const nlohmann::ordered_json& list, size_t column) {
  if (list.empty()) return 0;
  return list[list.size() == 1 ? 0 : column].get<int64_t>();
}

/// Places of the knots of a spline, a row for each knot number, repeated where a column has fewer.
at::Tensor knot_rows(const Transform& spline, const std::vector<int64_t>& knots) {
  const at::Tensor* place = spline.named_buffers().find("place");
  const int64_t most = std::max<int64_t>(1, *std::max_element(knots.begin(), knots.end()));
  std::vector<at::Tensor> columns;
  int64_t first = 0;
  for (const int64_t count : knots) {
    const int64_t kept = std::max<int64_t>(1, count);
    const at::Tensor own = place->slice(0, first, first + kept);
    columns.push_back(at::cat({own, own.slice(0, kept - 1).expand({most - kept})}));
    first += kept;
  }
  return at::stack(columns, 1);
}

void add_spline(const FigureInput& input, const std::vector<TransformPtr>& front, size_t at,
                Knots& out) {
  const auto list = front[at]->spec().value("knots", nlohmann::ordered_json::array());
  std::vector<int64_t> knots;
  for (size_t k = 0; k < out.notes.size(); ++k) knots.push_back(entry_for(list, k));
  const at::Tensor values = back_to_values(input, front, knot_rows(*front[at], knots), at);
  for (size_t k = 0; k < knots.size(); ++k) {
    if (!out.notes[k].empty()) continue;
    out.notes[k] = knots[k] == 0 ? "no knots" : std::to_string(knots[k]) + " knots";
    if (knots[k] == 0) continue;
    out.values[k] = column_of(values.slice(0, 0, knots[k]), static_cast<int64_t>(k));
  }
}

Knots knots_of(const FigureInput& input, const std::vector<TransformPtr>& front) {
  const auto columns = static_cast<size_t>(input.columns.dim());
  Knots out{std::vector<std::vector<double>>(columns), std::vector<std::string>(columns)};
  for (size_t at = 0; at < front.size(); ++at) {
    const std::string type = type_of(*front[at]);
    if (type == MarginalSpline::kType) add_spline(input, front, at, out);
    if (type != MarginalDequantize::kType) continue;
    const auto list = front[at]->spec().value("levels", nlohmann::ordered_json::array());
    for (size_t k = 0; k < columns; ++k) {
      if (const int64_t levels = entry_for(list, k); levels > 0) {
        out.notes[k] = std::to_string(levels) + " levels";
      }
    }
  }
  return out;
}

std::vector<double> quantiles_of(const at::Tensor& rows, int64_t column) {
  if (!rows.defined()) return {};
  const std::vector<double> sorted = plot::sorted_finite(column_of(rows, column));
  std::vector<double> out;
  for (const double q : {0.01, 0.1, 0.5, 0.9, 0.99}) {
    if (!sorted.empty()) out.push_back(plot::quantile(sorted, q));
  }
  return out;
}

}  // namespace

bool has_column_maps(const Flow& flow) { return !front_members(flow).empty(); }

void draw_column_curves(const FigureInput& input, const std::filesystem::path& path) {
  const std::vector<TransformPtr> front = front_members(input.flow);
  const int64_t dim = input.columns.dim();
  const at::Tensor scores =
      at::linspace(-kFarthestScore, kFarthestScore, kCurvePoints, at::kDouble);
  const at::Tensor rows = scores.unsqueeze(1).expand({kCurvePoints, dim}).contiguous();
  const at::Tensor values = back_to_values(input, front, rows, front.size());
  const Knots knots = knots_of(input, front);
  const at::Tensor data = figure_rows(input, 20'000);
  plot::ColumnMaps figure{.title = input.title,
                          .quantile_text = "on the axis: 1, 10, 50, 90 and 99 % of the data"};
  for (const int64_t k : shown_columns(input, plot::kMostCurves)) {
    const auto place = static_cast<size_t>(k);
    plot::ColumnCurve curve{.name = drawn_name(input.columns, place),
                            .note = knots.notes[place],
                            .value = column_of(values, k),
                            .score = points_of(scores),
                            .knots = knots.values[place],
                            .quantiles = quantiles_of(data, k)};
    curve.scale = axis_scale(input.columns, place, curve.value);
    figure.curves.push_back(std::move(curve));
  }
  plot::draw_column_maps(figure, path);
}

}  // namespace contraflow::cli
