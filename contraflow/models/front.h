#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <utility>

#include "contraflow/core/event_info.h"
#include "contraflow/core/export.h"

namespace contraflow {

/// What stands in front of a flow for single columns of a table.
enum class Marginals {
  kAuto,  ///< A monotone curve for each column, as fine as pays on held-out rows.
  kNone,  ///< The map of the columns alone.
};

constexpr auto enum_names(Marginals) {
  return std::array{std::pair{"auto", Marginals::kAuto}, std::pair{"none", Marginals::kNone}};
}

/// How data become standardised numbers on the whole line, before the first transform of a family.
struct FrontOptions {
  bool standardize = true;
  Marginals marginals = Marginals::kAuto;
  /// Events without columns: margin of the logit of bounded ones; with integers a logit is used only
  /// when `logit`.
  double logit_alpha = 0.05;
  bool logit = false;
};

/// Specs of those transforms, a list:
///   of a table (EventInfo::columns) columns, marginal_dequantize, marginal_spline, where needed;
///   of rows of integers marginal_dequantize, unless a logit or no marginals are asked for;
///   of other events dequantize, logit, standardize.
CF_EXPORT nlohmann::ordered_json front_transforms(const EventInfo& info,
                                                  const FrontOptions& options);

}  // namespace contraflow
