#include "contraflow/training/flow_objective.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/training/ema.h"
#include "contraflow/training/non_finite.h"

namespace contraflow {

FlowObjective::FlowObjective(FlowPtr flow) : flow_(std::move(flow)) {
  if (flow_ == nullptr) {
    fail<ConfigError>("Objective", "flow", "the flow to train", "null", "Build one first.");
  }
}

void FlowObjective::refresh() const { refresh_state(*flow_); }

std::string FlowObjective::origin(const FlatParameters& parameters, const StepLoss& step) const {
  return describe(find_in_forward(*flow_, parameters, step.x, step.context));
}

std::string FlowObjective::gradient_origin(const FlatParameters& parameters) const {
  return describe(find_in_gradients(*flow_, parameters));
}

// One line for all blocks: they are alike in most flows.
std::vector<std::string> FlowObjective::warnings() const {
  const std::vector<std::string> lines = flow_->transform()->warnings(Phase::kTrain);
  const size_t count = lines.size();
  if (count == 0) return {};
  return {c10::str("train_log_det: expected a roulette of finite variance, got ", count,
                   count == 1 ? " block" : " blocks", " where ", lines.front(),
                   ". Use law = \"optimal\", a smaller geometric_p, or a smaller net.lipschitz.")};
}

// Null for a flow with a transform of the caller's own that has no spec: it trains all the same.
nlohmann::ordered_json FlowObjective::spec() const {
  try {
    return options_to_json(spec_of(*flow_));
  } catch (const ConfigError&) {
    return nullptr;
  }
}

nlohmann::ordered_json FlowObjective::resolved_spec(const nlohmann::ordered_json& stored) const {
  const auto spec = options_from_json<FlowSpec>(stored, "checkpoint: flow");
  return options_to_json(resolve_flow_spec(spec, "checkpoint: flow"));
}

void FlowObjective::prepare(const at::Tensor& x, const Context& context,
                            Collective* collective) const {
  flow_->prepare(x, context);
  if (x.defined()) broadcast_state(*flow_, collective);
}

}  // namespace contraflow
