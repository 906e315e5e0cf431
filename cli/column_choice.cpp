#include "cli/column_choice.h"

#include <algorithm>
#include <cmath>

#include "cli/plot/canvas.h"
#include "cli/plot/stats.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::cli {
namespace {

const std::string& name_of_column(const data::Columns& columns, size_t k) {
  static const std::string kNone;
  return k < columns.names.size() ? columns.names[k] : kNone;
}

bool is_date(const data::Columns& columns, const std::string& name) {
  return std::any_of(columns.cells.begin(), columns.cells.end(), [&](const data::NamedCells& c) {
    return c.name == name && c.kind == data::CellKind::kDate;
  });
}

/// How often the upper hundredth of the values is above the lower one, both as n on the axis.
double spread_of(const std::vector<double>& sorted, const plot::AxisScale& scale) {
  const double low = scale.place(plot::quantile(sorted, 0.01));
  const double high = scale.place(plot::quantile(sorted, 0.99));
  return std::pow(10.0, high - low);
}

}  // namespace

std::string drawn_name(const data::Columns& columns, size_t k) {
  const std::string& name = name_of_column(columns, k);
  if (name.empty()) return "x" + std::to_string(k);
  return plot::has_glyphs(name) ? name : "column " + std::to_string(k + 1);
}

std::string drawn_title(const std::string& title) {
  return plot::has_glyphs(title) ? title : "data";
}

std::vector<std::string> undrawable_names(const data::Columns& columns) {
  std::vector<std::string> notes;
  for (size_t k = 0; k < columns.names.size(); ++k) {
    if (plot::has_glyphs(columns.names[k])) continue;
    notes.push_back("pictures call '" + shorten(columns.names[k]) + "' '" + drawn_name(columns, k) +
                    "': no font here has its characters; install one, such as fonts-noto-cjk");
  }
  return notes;
}

std::vector<int64_t> column_numbers(const std::vector<std::string>& names,
                                    const data::Columns& columns) {
  std::vector<int64_t> numbers;
  for (const std::string& name : names) {
    const auto found = std::find(columns.names.begin(), columns.names.end(), name);
    if (found == columns.names.end()) {
      const auto near = nearest_match(name, columns.names);
      fail<ConfigError>("plot", "--columns", "columns of the model", "'" + shorten(name) + "'",
                        near ? "Did you mean '" + *near + "'?"
                             : "They are " + shorten(join(columns.names, ", "), 200) + ".");
    }
    const int64_t number = found - columns.names.begin();
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

double step_of(const data::Columns& columns, size_t k) {
  if (columns.levels > 0) return 1.0;
  return k < columns.infos.size() && columns.infos[k].whole() ? columns.infos[k].step : 0.0;
}

plot::AxisScale axis_scale(const data::Columns& columns, size_t k, std::vector<double> values) {
  constexpr double kEnoughOfPowers = 30.0;
  constexpr double kEnoughOfAny = 3000.0;
  if (is_date(columns, name_of_column(columns, k))) return {.kind = plot::AxisKind::kDate};
  const std::vector<double> sorted = plot::sorted_finite(values);
  const plot::AxisScale linear{.least_step = step_of(columns, k)};
  if (sorted.empty() || columns.levels > 0) return linear;
  const ColumnInfo info = k < columns.infos.size() ? columns.infos[k] : ColumnInfo{};
  const double origin = info.low().value_or(0.0);
  if (info.whole()) {
    const plot::AxisScale scale{plot::AxisKind::kLogOnePlus, origin, info.step};
    const bool count = info.kind == ColumnKind::kCount && sorted.front() >= origin;
    return count && spread_of(sorted, scale) > kEnoughOfPowers ? scale : linear;
  }
  const plot::AxisScale scale{plot::AxisKind::kLog, origin, 1.0};
  if (info.high() || sorted.front() <= origin) return linear;
  const double enough = info.kind == ColumnKind::kPositive ? kEnoughOfPowers : kEnoughOfAny;
  return spread_of(sorted, scale) > enough ? scale : linear;
}

}  // namespace contraflow::cli
