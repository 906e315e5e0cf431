#pragma once

#include <nlohmann/json_fwd.hpp>

#include "contraflow/core/export.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/objective.h"

namespace contraflow {

/// What objectives that train one flow have in common.
class CF_EXPORT FlowObjective : public Objective {
 public:
  /// `flow` is shared. Throws ConfigError for null.
  explicit FlowObjective(FlowPtr flow);

  torch::nn::Module& module() const final { return *flow_; }
  const FlowPtr& flow() const { return flow_; }
  /// refresh_state() of the flow.
  void refresh() const final;
  /// The parameter that is not finite, else the block whose output is the first not to be.
  std::string origin(const FlatParameters& parameters, const StepLoss& step) const override;
  std::string gradient_origin(const FlatParameters& parameters) const final;
  /// Those of the transform in training: estimators of infinite variance.
  std::vector<std::string> warnings() const final;
  /// spec_of() the flow; null when a part of it was not built from options.
  nlohmann::ordered_json spec() const final;
  nlohmann::ordered_json resolved_spec(const nlohmann::ordered_json& stored) const final;

 protected:
  /// flow->prepare(); with data, every rank then has the state of rank 0.
  void prepare(const at::Tensor& x, const Context& context, Collective* collective) const;

 private:
  FlowPtr flow_;
};

/// The flow of a caller who keeps it alive.
inline FlowPtr borrowed(Flow& flow) { return FlowPtr(FlowPtr(), &flow); }

}  // namespace contraflow
