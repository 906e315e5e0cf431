#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <utility>

#include "contraflow/core/event_info.h"
#include "contraflow/core/export.h"
#include "contraflow/transforms/marginal_dequantize.h"

namespace contraflow {

/// What stands in front of a flow for single columns of a table.
enum class Marginals {
  kAuto,  ///< A monotone curve for each column, as fine as pays on held-out rows.
  kNone,  ///< The map of the columns alone.
};

constexpr auto enum_names(Marginals) {
  return std::array{std::pair{"auto", Marginals::kAuto}, std::pair{"none", Marginals::kNone}};
}

/// How integers become real numbers.
enum class Dequantization {
  kAuto,      ///< Marginal, unless a logit or no marginals are asked for.
  kMarginal,  ///< Each level's interval of the cumulative masses, as normal scores.
  kUniform,   ///< Uniform noise, then a logit.
};

constexpr auto enum_names(Dequantization) {
  return std::array{std::pair{"auto", Dequantization::kAuto},
                    std::pair{"marginal", Dequantization::kMarginal},
                    std::pair{"uniform", Dequantization::kUniform}};
}

/// How data become standardised numbers on the whole line, before the first transform of a family.
struct FrontOptions {
  bool standardize = true;
  Marginals marginals = Marginals::kAuto;
  /// Events without columns: margin of the logit of bounded ones; with integers a logit is used only
  /// when `logit`.
  double logit_alpha = 0.05;
  bool logit = false;
  Dequantization dequantization = Dequantization::kAuto;
  /// Of marginal dequantization; unset: as default_mass_table() says.
  std::optional<MassTable> mass_table = std::nullopt;
};

/// A table for each column of a row, and for each pixel of an image.
CF_EXPORT MassTable default_mass_table(const EventShape& event);

/// Specs of those transforms, a list:
///   of a table (EventInfo::columns) columns, marginal_dequantize, marginal_spline, where needed;
///   of integers marginal_dequantize, or dequantize, logit, standardize: as FrontOptions::dequantization
///   says;
///   of other events logit, standardize.
/// ConfigError: a logit beside marginal dequantization.
CF_EXPORT nlohmann::ordered_json front_transforms(const EventInfo& info,
                                                  const FrontOptions& options);

}  // namespace contraflow
