#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "contraflow/core/event_info.h"
#include "contraflow/core/options.h"
#include "contraflow/core/randomness.h"
#include "contraflow/log_det/options.h"
#include "contraflow/models/contractive.h"
#include "contraflow/transforms/contractive_block.h"

/// What the families of contractive blocks have in common.
namespace contraflow {

/// {"type": type, options}: a transform of a spec.
template <class Options>
nlohmann::ordered_json transform_spec(const char* type, const Options& options) {
  nlohmann::ordered_json out{{"type", type}};
  out.update(options_to_json(options));
  return out;
}

/// The forms of the networks of one block: an implicit one has two.
std::vector<FormKind> forms_of(Family family);

/// `chosen`, or where that is unset: exact where an event has few numbers (16 while training, 64
/// otherwise), else roulette.
LogDetOptions estimator_of(Phase phase, const std::optional<LogDetOptions>& chosen,
                           const EventShape& event);

/// A base of options, {"type": ...} or the type alone, with its event filled in.
nlohmann::ordered_json base_for(nlohmann::ordered_json base, const EventShape& event);

/// Options of a block but its event, network and seed, of any family that has these fields.
template <class Options>
ContractiveBlockOptions block_options(const Options& o, const EventInfo& info, FormKind form) {
  return {.condition = info.condition,
          .form = form,
          .train_log_det = estimator_of(Phase::kTrain, o.train_log_det, info.event),
          .eval_log_det = estimator_of(Phase::kEvaluate, o.eval_log_det, info.event),
          .solver = o.solver,
          .train_tolerance = o.train_tolerance,
          .tolerance = o.tolerance,
          .backward_tolerance = o.backward_tolerance};
}

/// Seed of the initial weights of a model's network.
inline int64_t network_seed(int64_t seed, int64_t network) { return seed * 1'000'003 + network; }

}  // namespace contraflow
