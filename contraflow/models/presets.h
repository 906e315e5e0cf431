#pragma once

#include <optional>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/models/contractive.h"

namespace contraflow::models {

/// The few settings most users change; unset ones are the preset's.
struct Settings {
  EventShape event = 2;
  EventShape condition = {};
  std::optional<int64_t> blocks = std::nullopt;
  std::optional<double> lipschitz = std::nullopt;
  std::optional<Activation> activation = std::nullopt;
  int64_t levels = 0;               ///< As EventInfo::levels.
  std::vector<double> bounds = {};  ///< As EventInfo::bounds.
  int64_t seed = 0;
};

/// Flows of the papers, ready to train; float32 on the CPU (flow->to(torch::kFloat64) for float64).
CF_EXPORT FlowPtr residual_flow(const Settings& settings);
CF_EXPORT FlowPtr idensenet(const Settings& settings);
CF_EXPORT FlowPtr implicit_flow(const Settings& settings);
CF_EXPORT FlowPtr monotone_flow(const Settings& settings);

}  // namespace contraflow::models
