#include "contraflow/models/front.h"

#include <algorithm>
#include <nlohmann/json.hpp>

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

}  // namespace

Json front_transforms(const EventInfo& info, const FrontOptions& o) {
  if (!info.columns.empty()) return front_of_table(info, o);
  // Rows of integers of one number of levels: each level has its mass, and the scores are standard.
  if (info.levels > 0 && info.event.is_row() && !o.logit && o.marginals == Marginals::kAuto) {
    return Json::array(
        {typed_spec("marginal_dequantize",
                    MarginalDequantizeOptions{.event = info.event, .levels = {info.levels}})});
  }
  Json out = Json::array();
  const bool integers = info.levels > 0;
  if (integers) {
    out.push_back(
        typed_spec("dequantize", DequantizeOptions{.event = info.event, .levels = {info.levels}}));
  }
  if (integers ? o.logit : !info.bounds.empty()) {
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
