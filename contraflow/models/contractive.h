#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/event_info.h"
#include "contraflow/core/export.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/log_det/options.h"
#include "contraflow/models/front.h"
#include "contraflow/models/model_registry.h"
#include "contraflow/networks/net_options.h"
#include "contraflow/solvers/fixed_point.h"
#include "contraflow/transforms/block_settings.h"
#include "contraflow/transforms/form_kind.h"

namespace contraflow {

/// Which contractive blocks a flow is made of.
enum class Family {
  kResidual,         ///< y = x + G(x): Residual Flows, i-DenseNets
  kInverseResidual,  ///< its inverse
  kImplicit,         ///< residual after inverse residual, two networks a block: Implicit Flows
  kMonotone,         ///< Cayley transforms: Monotone Flows
};

constexpr auto enum_names(Family) {
  return std::array{std::pair{"residual", Family::kResidual},
                    std::pair{"inverse_residual", Family::kInverseResidual},
                    std::pair{"implicit", Family::kImplicit},
                    std::pair{"monotone", Family::kMonotone}};
}

/// The fields with which the options of all models of contractive blocks end.
template <class Options, class Field>
void visit_model_settings(Options& o, Field&& field) {
  visit_estimators(o, field);
  visit_solves(o, field);
  field("base", o.base, "Base density: a type, or a table of the type with its options.");
  field("seed", o.seed, "Seed of the initial weights.");
}

/// A contractive flow. Its presets have the papers' settings.
struct ContractiveOptions {
  Family family = Family::kMonotone;
  int64_t blocks = 10;
  /// Forms of the blocks, repeated until there are `blocks`; empty: as `family` says. At most
  /// `blocks` of residual, inverse_residual and monotone.
  std::vector<FormKind> forms = {};
  /// Train the matrix of each block, starting at its form; see ContractiveBlockOptions.
  bool learn_form = false;
  NetOptions net = {};
  /// An ActNorm before each block, and one after the last.
  bool actnorm = false;
  /// Standardise the columns before the first block (counted in the log-determinant).
  bool standardize = true;
  /// Tables only: curves to normal scores, one per column, trained on with the flow.
  Marginals marginals = Marginals::kAuto;
  /// Margin of the logit of bounded events; with integer columns a logit is used only when
  /// `logit`.
  double logit_alpha = 0.05;
  bool logit = false;
  /// Integers without columns of their own, such as pixels; see FrontOptions.
  Dequantization dequantization = Dequantization::kAuto;
  std::optional<MassTable> mass_table = std::nullopt;
  /// From here to backward_tolerance: see block_settings.h. Unset: exact up to 16 numbers, else
  /// roulette of the optimal law.
  std::optional<LogDetOptions> train_log_det = std::nullopt;
  /// Unset: exact up to 64 numbers, else roulette with 20 exact terms.
  std::optional<LogDetOptions> eval_log_det = std::nullopt;
  SolverOptions solver = {};
  double train_tolerance = SolveDefaults::train_tolerance;
  double tolerance = SolveDefaults::tolerance;
  double backward_tolerance = SolveDefaults::backward_tolerance;
  /// Base density, {"type": ...}; its event is filled in.
  nlohmann::ordered_json base = {{"type", "normal"}};
  int64_t seed = 0;
};

template <class Field>
void visit(ContractiveOptions& o, Field&& field) {
  field("family", o.family, "Blocks: residual, inverse_residual, implicit or monotone.");
  field("blocks", o.blocks, at_least(1), "Number of blocks (an implicit block has two networks).");
  field(
      "forms", o.forms,
      "Forms of the blocks, repeated: residual, inverse_residual, monotone; empty: the family's.");
  field("learn_form", o.learn_form,
        "Train each block's matrix within its admissible set, starting at its form.");
  field("net", o.net, "The contractive network of a block.");
  field("actnorm", o.actnorm, "An ActNorm before each block and after the last.");
  field("standardize", o.standardize, "Standardise the columns first.");
  field("marginals", o.marginals,
        "Tables: auto = a trained monotone curve for each column where held-out rows gain by it.");
  field("logit", o.logit, "Integer columns: a logit after dequantization.");
  field("logit_alpha", o.logit_alpha, open_interval(0.0, 0.5), "Margin of the logit.");
  field(
      "dequantization", o.dequantization,
      "Pixels and other integers: marginal = normal scores of the levels' masses, uniform = noise "
      "and a logit; auto = marginal unless logit.");
  field("mass_table", o.mass_table,
        "Masses of marginal dequantization: for each pixel, each channel, or shared; unset: pixel "
        "for images.");
  visit_model_settings(o, field);
}

/// The transforms and base of `options` for such events: everything the choice depends on is
/// written out in the spec. ConfigError for forms that no block has, for 'custom', whose matrix has no
/// place here, and for events with several axes without net.kernels.
CF_EXPORT FlowSpec contractive_spec(const ContractiveOptions& options, const EventInfo& info);

namespace models {

/// The options of a preset; ConfigError with the nearest match for an unknown name.
CF_EXPORT ContractiveOptions contractive_preset(std::string_view name);

/// Monotone, Residual and Implicit Flows and i-DenseNets, for the registry.
CF_EXPORT ModelEntry contractive_entry();

}  // namespace models
}  // namespace contraflow
