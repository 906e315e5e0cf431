#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/state.h"

namespace contraflow {

/// The best validation so far.
struct BestValidation {
  int64_t step = 0;
  Estimate loss;
};

/// Where a run stands. No clock time where no budget is counted: two runs that did the same then
/// have the same file.
struct TrainingCounters {
  int64_t step = 0;  ///< Steps done; also the number of optimizer and EMA updates.
  std::optional<BestValidation> best;
  int64_t stale_validations = 0;  ///< Validations since the best one.
  double seconds = 0.0;           ///< Of the budget TrainingOptions::minutes; 0 without one.
};

/// Everything a run needs to go on bit for bit, and a model needs to be used; see
/// docs/checkpoint_format.md for the file.
struct Checkpoint {
  nlohmann::ordered_json config;    ///< Resolved configuration of the run, as its maker gave it.
  nlohmann::ordered_json training;  ///< Resolved TrainingOptions.
  /// The module that was trained as data; of a flow its FlowSpec. Null = the objective knows none.
  nlohmann::ordered_json spec;
  TrainingCounters counters;
  /// The weights are those of a flow that is ready to evaluate, as save() writes it, with the norms
  /// that it has; false: a state of training, whose norms are those of the step before.
  bool ready = false;
  NamedTensors weights;        ///< Parameters and buffers of the flow as training left them.
  NamedTensors ema;            ///< Averaged parameters; empty without EMA.
  NamedTensors best;           ///< Parameters and buffers at the best validation; empty before one.
  NamedTensors first_moment;   ///< Of Adam, per trainable parameter.
  NamedTensors second_moment;  ///< Of Adam, per trainable parameter.
};

inline constexpr int64_t kCheckpointVersion = 2;

/// Atomic: the file appears complete or not at all, and an older one is replaced only then.
/// Throws     IoError.
CF_EXPORT void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Throws     IoError: missing, truncated, malformed, not a checkpoint, of an unknown version.
CF_EXPORT Checkpoint load_checkpoint(const std::filesystem::path& path);

/// The bytes of the file that save_checkpoint() writes, and back; `name` stands for the file in
/// errors.
CF_EXPORT std::string checkpoint_to_bytes(const Checkpoint& checkpoint);
CF_EXPORT Checkpoint checkpoint_from_bytes(std::string_view bytes, std::string_view name = "bytes");

/// Which of the weights in a checkpoint to use.
enum class WeightChoice { kSelected, kBest, kEma, kLast };
constexpr auto enum_names(WeightChoice) {
  return std::array{std::pair{"selected", WeightChoice::kSelected},
                    std::pair{"best", WeightChoice::kBest}, std::pair{"ema", WeightChoice::kEma},
                    std::pair{"last", WeightChoice::kLast}};
}

/// Puts weights into a flow that was built from the same configuration, ready to evaluate:
/// kSelected takes the best validated ones, without validation the EMA, without EMA the last. The
/// averaged and the last weights get norm buffers of their own (refresh_state()), unless they are
/// ready as they are. Returns the
/// choice that was made.
/// Throws     ConfigError (another model: a tensor is missing, extra or of another shape or dtype;
///            a choice that the checkpoint does not hold); `flow` is unchanged then. `source` names
///            the checkpoint in the text.
CF_EXPORT WeightChoice load_weights(Flow& flow, const Checkpoint& checkpoint, WeightChoice choice,
                                    const std::string& source);

/// The spec of the flow in a checkpoint. Throws IoError: it holds none. `source` names the
/// checkpoint in the text.
CF_EXPORT FlowSpec flow_spec_of(const Checkpoint& checkpoint, const std::string& source);
/// The flow of a checkpoint with the chosen weights, in the dtype it was trained in, on the CPU,
/// ready to evaluate. Throws as flow_spec_of() and load_weights().
CF_EXPORT FlowPtr flow_of(const Checkpoint& checkpoint, const std::string& source,
                          WeightChoice choice = WeightChoice::kSelected);

/// Throws ConfigError naming the first dotted path at which two configurations differ.
CF_EXPORT void check_same_config(const nlohmann::ordered_json& expected,
                                 const nlohmann::ordered_json& got, const std::string& where,
                                 const std::string& remedy);

}  // namespace contraflow
