#include "contraflow/models/front.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/transforms/column_map.h"
#include "contraflow/transforms/dequantize.h"
#include "contraflow/transforms/logit.h"
#include "contraflow/transforms/marginal_dequantize.h"
#include "contraflow/transforms/marginal_spline.h"
#include "contraflow/transforms/standardize.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;

template <class Options>
Json typed_spec(const char* type, const Options& options) {
  Json out{{"type", type}};
  out.update(options_to_json(options));
  return out;
}

bool any_positive(const std::vector<int64_t>& counts) {
  return std::any_of(counts.begin(), counts.end(), [](int64_t count) { return count > 0; });
}

// The columns' own scale takes the place of one that is measured in float32.
Json front_of_table(const EventInfo& info, const FrontOptions& o) {
  ColumnMapOptions map{info.columns};
  std::vector<int64_t> levels;
  for (ColumnInfo& column : map.columns) {
    levels.push_back(column.levels);
    if (o.standardize) continue;
    column.center = 0.0;
    column.scale = 1.0;
  }
  Json out = Json::array({typed_spec("columns", map)});
  if (any_positive(levels)) {
    out.push_back(typed_spec("marginal_dequantize",
                             MarginalDequantizeOptions{.event = info.event, .levels = levels}));
  }
  if (o.marginals == Marginals::kAuto && any_positive(info.marginal_knots)) {
    out.push_back(
        typed_spec("marginal_spline",
                   MarginalSplineOptions{.event = info.event, .knots = info.marginal_knots}));
  }
  return out;
}

bool is_marginal(const FrontOptions& o) {
  switch (o.dequantization) {
    case Dequantization::kAuto:
      return !o.logit && o.marginals == Marginals::kAuto;
    case Dequantization::kUniform:
      return false;
    case Dequantization::kMarginal:
      break;
  }
  if (!o.logit) return true;
  fail<ConfigError>("model", "logit", "false with dequantization = 'marginal'", "true",
                    "Scores are normal already: drop it, or choose 'uniform'.");
}

}  // namespace

MassTable default_mass_table(const EventShape& event) {
  return event.is_row() ? MassTable::kChannel : MassTable::kPixel;
}

Json front_transforms(const EventInfo& info, const FrontOptions& o) {
  if (!info.columns.empty()) return front_of_table(info, o);
  const bool integers = info.levels > 0;
  // Each level has its mass, and the scores are standard.
  if (integers && is_marginal(o)) {
    return Json::array({typed_spec(
        "marginal_dequantize", MarginalDequantizeOptions{.event = info.event,
                                                         .levels = {info.levels},
                                                         .table = o.mass_table.value_or(
                                                             default_mass_table(info.event))})});
  }
  Json out = Json::array();
  if (integers) {
    out.push_back(
        typed_spec("dequantize", DequantizeOptions{.event = info.event, .levels = {info.levels}}));
  }
  const bool logit_of_integers = o.logit || o.dequantization == Dequantization::kUniform;
  if (integers ? logit_of_integers : !info.bounds.empty()) {
    LogitOptions logit{.event = info.event, .alpha = o.logit_alpha};
    if (!integers) {
      logit.lower = {info.bounds.at(0)};
      logit.upper = {info.bounds.at(1)};
    }
    out.push_back(typed_spec("logit", logit));
  }
  if (o.standardize) {
    out.push_back(typed_spec("standardize", StandardizeOptions{.event = info.event}));
  }
  return out;
}

}  // namespace contraflow
