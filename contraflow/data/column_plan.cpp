#include "contraflow/data/column_plan.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/core/number_text.h"
#include "contraflow/core/options.h"
#include "contraflow/core/text.h"
#include "contraflow/data/column_kinds.h"
#include "contraflow/data/dependent_columns.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

using Json = nlohmann::ordered_json;

at::Tensor column(const Table& table, size_t c) {
  return table.rows.select(1, static_cast<int64_t>(c)).to(at::kDouble);
}

bool is_unnamed(const Table& table, size_t c) {
  return std::find(table.unnamed.begin(), table.unnamed.end(), table.columns[c]) !=
         table.unnamed.end();
}

bool is_constant(const at::Tensor& values) { return values.eq(values[0]).all().item<bool>(); }

// A column that an earlier one repeats; its name, or nothing.
std::string copied(const Table& table, size_t c, const std::vector<size_t>& kept) {
  const at::Tensor own = column(table, c);
  for (const size_t other : kept) {
    if (own.equal(column(table, other))) return table.columns[other];
  }
  return "";
}

std::string reason_to_leave_out(const Table& table, size_t c, const std::vector<size_t>& kept) {
  const at::Tensor values = column(table, c);
  if (is_constant(values)) {
    return "one value only, " + shortest(values[0].item<double>()) + ": a constant has no density";
  }
  if (const auto reason = row_number_reason(table.columns[c], values, is_unnamed(table, c)))
    return *reason;
  const std::string twin = copied(table, c, kept);
  return twin.empty() ? "" : "a copy of " + in_quotes(twin);
}

[[noreturn]] void fail_chosen(const Table& table, size_t c, const std::string& reason) {
  fail<DomainError>("columns", table.source + ", column " + in_quotes(table.columns[c]),
                    "a column with a density of its own", reason,
                    "Leave it out of columns, or condition on it.");
}

ColumnInfo info_from(const Json& word, const std::string& name) {
  if (word.is_object()) return options_from_json<ColumnInfo>(word, "data.kinds." + name);
  return options_from_json<ColumnInfo>(Json{{"kind", word}}, "data.kinds." + name);
}

bool is_word(const Json& word, const char* text) { return word.is_string() && word == text; }

ColumnInfo info_of(const std::string& name, const at::Tensor& values, const Json& kinds,
                   const std::vector<double>& bounds) {
  if (kinds.is_object() && kinds.contains(name)) {
    // A bounded column without bounds says only that the guess may be one: the values cannot tell.
    if (is_word(kinds[name], "bounded") && bounds.size() == 2) {
      return {.kind = ColumnKind::kBounded, .lower = bounds[0], .upper = bounds[1]};
    }
    return info_from(kinds[name], name);
  }
  if (bounds.size() == 2) {
    return {.kind = ColumnKind::kBounded, .lower = bounds[0], .upper = bounds[1]};
  }
  return guess_kind(values);
}

void check_values(const Table& table, size_t c, const at::Tensor& values, const ColumnInfo& info) {
  const auto found = first_bad(values, are_impossible(info, values));
  if (!found) return;
  fail<DomainError>("data",
                    table.source + ", row " + std::to_string(found->row) + ", column " +
                        in_quotes(table.columns[c]),
                    possible_values(info), shortest(found->value),
                    "Correct the row, or give the column another kind or other bounds.");
}

// Distances at which values on the bounds count.
ColumnInfo with_edge(ColumnInfo info, const at::Tensor& values) {
  double edge = std::numeric_limits<double>::infinity();
  if (info.whole()) return info;  // noise keeps them off the bounds
  if (const auto low = info.low()) edge = std::min(edge, edge_of(values, *low));
  if (const auto high = info.high()) edge = std::min(edge, edge_of(values, *high));
  info.edge = std::isfinite(edge) ? edge : 0.0;
  return info;
}

}  // namespace

void check_kinds(const Json& kinds, const std::vector<std::string>& names,
                 const std::string& source) {
  if (kinds.is_null()) return;
  if (!kinds.is_object()) {
    fail<ConfigError>("data", "kinds", "a table of column names with their kinds",
                      shorten(json_text(kinds)), "For example kinds = { price = \"positive\" }.");
  }
  for (const auto& [name, word] : kinds.items()) {
    info_from(word, name);
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    fail<ConfigError>("data", "kinds." + name, "a column that is modelled of " + source,
                      "another name",
                      did_you_mean(nearest_match(name, names), "Correct or remove it."));
  }
}

ColumnPlan plan_columns(const Table& table, const Json& kinds, const std::vector<double>& bounds,
                        bool chosen) {
  ColumnPlan out;
  std::vector<size_t> kept;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    const std::string& name = table.columns[c];
    const std::string reason = reason_to_leave_out(table, c, kept);
    const bool kind_given = kinds.is_object() && kinds.contains(name);
    const bool no_density =
        !reason.empty() && !row_number_reason(name, column(table, c), is_unnamed(table, c));
    if (!reason.empty() && chosen && no_density) fail_chosen(table, c, reason);
    if (!reason.empty() && !chosen && !kind_given) {
      out.left_out.push_back({name, reason});
      continue;
    }
    kept.push_back(c);
    out.names.push_back(name);
  }
  if (out.names.empty()) {
    fail<DomainError>(
        "columns", table.source, "a column that varies",
        "none that is left: " + out.left_out.front().name + " is " + out.left_out.front().reason,
        "Check that this is the right file.");
  }
  check_kinds(kinds, out.names, table.source);
  for (const size_t c : kept) {
    const at::Tensor values = column(table, c);
    const ColumnInfo info = info_of(table.columns[c], values, kinds, bounds);
    check_values(table, c, values, info);
    out.infos.push_back(with_edge(info, values));
  }
  check_independent(table, kept, out.infos);
  return out;
}

at::Tensor on_the_line(const ColumnInfo& info, const at::Tensor& values) {
  const at::Tensor x = info.whole() ? values + 0.5 * info.step : values;
  const double top = info.high().value_or(0.0) + (info.whole() ? info.step : 0.0);
  at::Tensor out = x;
  const auto log_distance = [&](const at::Tensor& d) {
    return at::where(d.le(0), at::full_like(d, info.edge), d).log();
  };
  if (info.low()) out = log_distance(x - *info.low());
  if (!info.high()) return out;
  const at::Tensor below = log_distance(top - x);
  return info.low() ? out - below : -below;
}

ColumnInfo scaled(ColumnInfo info, const at::Tensor& values) {
  const at::Tensor sorted = std::get<0>(on_the_line(info, values).sort());
  const auto at = [&](double part) {
    return sorted[std::llround(part * static_cast<double>(sorted.size(0) - 1))].item<double>();
  };
  info.center = at(0.5);
  // The normal's: 84 % of it lie below one deviation, and so on. Wider where many values are equal.
  constexpr std::array<std::pair<double, double>, 3> kQuantiles{
      {{0.841344746, 1.0}, {0.977249868, 2.0}, {0.998650102, 3.0}}};
  for (const auto& [part, deviations] : kQuantiles) {
    info.scale = (at(part) - at(1.0 - part)) / (2.0 * deviations);
    if (info.scale > 0.0) return info;
  }
  info.scale = 0.5 * (at(1.0) - at(0.0));
  if (!(info.scale > 0.0)) info.scale = 1.0;  // constant among these rows
  return info;
}

std::string description(const Columns& columns, size_t c) {
  const ColumnInfo& info = columns.infos.at(c);
  std::string out = columns.names.at(c) + ": " + enum_name(info.kind);
  if (info.whole() && info.step != 1.0) out += " steps of " + shortest(info.step);
  if (info.kind == ColumnKind::kPositive || info.kind == ColumnKind::kCount) {
    out += info.low() && *info.low() != 0.0 ? " above " + shortest(*info.low()) : "";
    out += ", logarithm";
  }
  if (info.kind == ColumnKind::kBounded) {
    out += info.low() ? " from " + shortest(*info.low()) : "";
    out += info.high() ? " to " + shortest(*info.high()) : "";
  }
  if (info.levels > 0) {
    out += " of " + std::to_string(info.levels) + " levels from " + shortest(*info.least()) +
           " to " + shortest(*info.most()) + ", each with its mass";
  } else if (info.whole()) {
    out += ", with uniform noise";
  }
  for (const NamedCells& cells : columns.cells) {
    if (cells.name != columns.names.at(c)) continue;
    out += cells.kind == CellKind::kDate ? ", dates as seconds since 1970 (UTC)"
                                         : ", true as 1 and false as 0";
  }
  return out;
}

}  // namespace contraflow::data
