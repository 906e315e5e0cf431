#pragma once

#include <torch/nn/module.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"
#include "contraflow/training/collective.h"
#include "contraflow/training/flat_parameters.h"
#include "contraflow/training/training_options.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

/// One training step as an objective sees it.
struct ObjectiveStep {
  int64_t index = 0;       ///< From 0.
  int64_t batch_size = 0;  ///< Rows of the whole batch, those of the other ranks included.
  at::TensorOptions kind;  ///< Dtype and device of the module.
  Rng rng{0};  ///< Of this step alone, the same on every rank; row r is row r of the batch.
  Collective* collective = nullptr;  ///< Null = alone.
};

/// The losses of a step's rows, before its update, and where they were taken.
struct CF_EXPORT StepLoss : RowLosses {
  at::Tensor x;     ///< [share.size(), event], detached.
  Context context;  ///< Of the call.
};

/// Rows that training does not see.
struct ValidationStep {
  int64_t rows = 0;        ///< At most; an objective that draws its rows takes so many.
  int64_t batch_size = 0;  ///< Rows at a time.
  Rng rng{0};              ///< The same for every validation; row r draws as row r.
  Collective* collective = nullptr;
};

/// What a run minimises, the mean of a loss over rows, and what it trains: the objective holds the
/// module, a flow or several parts together. TrainingLoop does the rest.
///
/// State      an objective is immutable: what a step draws is a function of its index and rng, so
///            that a resumed run goes on bit for bit. The module is what changes.
/// Ranks      with a collective, a rank computes its share (share_of()) of the rows of the batch.
class CF_EXPORT Objective {
 public:
  virtual ~Objective() = default;
  /// The name that `training.objective` must have; see objective_registry().
  virtual std::string name() const = 0;
  /// What is trained: its parameters that require gradients are.
  virtual torch::nn::Module& module() const = 0;
  /// Before anything is changed. Throws ConfigError, ShapeError.
  virtual void check(const TrainingOptions& options) const = 0;
  /// Initialises from data where something waits for it, by up to `rows` rows, before step 0.
  virtual void initialise(int64_t rows, const at::TensorOptions& kind, const Rng& rng) const = 0;
  /// Prepares the module for the step and adds this rank's part of the gradient of the mean loss
  /// to its parameters': the sum over the ranks is the gradient.
  virtual StepLoss add_gradient(const ObjectiveStep& step) const = 0;
  /// The losses of rows that training does not see, in Phase::kEvaluate.
  virtual RowLosses validate(const ValidationStep& step) const = 0;
  /// Recomputes what the module derives from its parameters, without data: for parameters that
  /// were changed from outside.
  virtual void refresh() const {}
  /// Where a loss that is not finite comes from, for the error.
  virtual std::string origin(const FlatParameters& parameters, const StepLoss& step) const;
  /// Where gradients that are not finite come from although the loss is.
  virtual std::string gradient_origin(const FlatParameters& parameters) const;
  /// What the user should know before the first step, a line each.
  virtual std::vector<std::string> warnings() const { return {}; }
  /// The module as data, from which it can be built; null = not known.
  virtual nlohmann::ordered_json spec() const;
  /// A spec that was stored with a module, in today's form: what it leaves out has its default.
  virtual nlohmann::ordered_json resolved_spec(const nlohmann::ordered_json& stored) const;
};

}  // namespace contraflow
