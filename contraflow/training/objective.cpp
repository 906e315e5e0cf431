#include "contraflow/training/objective.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "contraflow/training/non_finite.h"

namespace contraflow {

std::string Objective::origin(const FlatParameters& parameters, const StepLoss& /*step*/) const {
  const NonFinite found = find_in_values(parameters);
  return found.parameter.empty() ? "a loss that is not" : describe(found);
}

std::string Objective::gradient_origin(const FlatParameters& parameters) const {
  return describe(find_in_gradients(parameters));
}

nlohmann::ordered_json Objective::spec() const { return nullptr; }

nlohmann::ordered_json Objective::resolved_spec(const nlohmann::ordered_json& stored) const {
  return stored;
}

}  // namespace contraflow
