#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/objective.h"
#include "contraflow/training/reverse_kl.h"

namespace contraflow {

/// What a run has for its objective to choose from.
struct ObjectiveInputs {
  FlowPtr flow;
  data::Splits splits;  ///< Empty where there are no rows.
  Energy energy = {};   ///< Null where the data have none.
};

/// One objective that a config can name.
struct ObjectiveEntry {
  std::string name;     ///< Value of `training.objective`.
  std::string summary;  ///< One line for lists and docs.
  std::string source;   ///< Paper; empty when there is none.
  std::string use;      ///< What a C++ caller writes, for errors.
  bool needs_rows = false;
  bool needs_energy = false;
  std::shared_ptr<const Objective> (*make)(const ObjectiveInputs& inputs,
                                           const TrainingOptions& options) = nullptr;
};

CF_EXPORT const std::vector<ObjectiveEntry>& objective_registry();

/// The entry of a name. Throws ConfigError with the nearest match and the list.
CF_EXPORT const ObjectiveEntry& find_objective(std::string_view name, std::string_view where);

/// The objective that `options` name. Throws ConfigError: an unknown one, or inputs without what
/// it needs.
CF_EXPORT std::shared_ptr<const Objective> make_objective(const ObjectiveInputs& inputs,
                                                          const TrainingOptions& options);

}  // namespace contraflow
