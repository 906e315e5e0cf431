#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "contraflow/core/export.h"
#include "contraflow/training/checkpoint.h"
#include "contraflow/training/collective.h"
#include "contraflow/training/ema.h"
#include "contraflow/training/flat_parameters.h"
#include "contraflow/training/freeze.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/objective.h"
#include "contraflow/training/optimizer.h"
#include "contraflow/training/training_options.h"

namespace contraflow {

/// What surrounds a loop; all of it is optional.
struct LoopSettings {
  /// Where save() writes; empty = nowhere.
  std::filesystem::path checkpoint_path;
  /// Resolved configuration of model and data, kept in the checkpoint; a restored one must be the
  /// same. A key "training" in it is not compared (the training options are compared apart).
  nlohmann::ordered_json config;
  /// Fills in the keys of a stored config that are newer than it; null = it is compared as it is.
  std::function<nlohmann::ordered_json(const nlohmann::ordered_json& stored)> resolve_config;
  /// The other ranks; null = alone. Each has a module of its own, built alike.
  std::shared_ptr<Collective> collective;
  /// Seconds since any fixed moment, for the budget options.minutes; null = the steady clock. With
  /// a collective it is that of rank 0 which counts.
  std::function<double()> clock;
};

struct Validation {
  Estimate loss;         ///< Nats per event, under the averaged weights when EMA is on.
  bool is_best = false;  ///< The lowest so far; its weights are kept.
};

/// Training, a step at a time: for callers with a loop of their own. fit() is this loop with the
/// usual course: validation, early stopping, checkpoints, records.
///
/// State      module() is the objective's: converted to the dtype and device of the options by the
///            constructor, initialised before the first step, changed by step(), restore() and
///            finish() alone. validate() leaves the training state as it was.
/// Random     Rng(seed): "train", step for steps; "validate" for every validation alike.
/// Ranks      with a collective every rank makes the same calls; the losses, the norms and the
///            parameters are then the same on all, and save() writes on rank 0. Against one rank,
///            gradients are added in another order: parameters differ by rounding. What members
///            measure of a batch (ActNorm's start, a roulette's calibration) is of rank 0's rows.
/// Threads    exclusive access to the loop and the module.
/// Throws     ConfigError (options; a checkpoint of another run; a module without parameters that
///            learn), NumericsError (a loss or gradient that is not finite: nothing was updated,
///            the state before the step is saved if there is a checkpoint path), IoError; what the
///            objective throws.
/// Source     none.
/// Example    TrainingLoop loop(std::make_shared<MaxLikelihood>(flow, splits), {.steps = 5000});
///            while (!loop.done()) loop.step();
///            loop.finish();
class CF_EXPORT TrainingLoop {
 public:
  TrainingLoop(std::shared_ptr<const Objective> objective, const TrainingOptions& options,
               LoopSettings settings = {});
  ~TrainingLoop();
  TrainingLoop(const TrainingLoop&) = delete;
  TrainingLoop& operator=(const TrainingLoop&) = delete;

  /// One optimizer step. The first initialises the module from data, unless restore() came before.
  MetricsRecord step();
  /// The loss on rows that training does not see; keeps the weights if it is the lowest so far.
  Validation validate();

  /// The state as it is now. Tensors are live: they change with the next step.
  Checkpoint checkpoint() const;
  /// Writes checkpoint() to the path of the settings; nothing without one.
  void save();
  /// Goes on from a state; the module is unchanged on an error.
  void restore(const Checkpoint& saved);
  /// Ends training: the module holds the best validated weights; without validation the averaged
  /// ones; without EMA the last. Its gradients are undefined. Call step() no more.
  WeightChoice finish();

  bool done() const { return options_.steps > 0 && counters_.step >= options_.steps; }
  /// The budget options.minutes was used up after the last step() or validate().
  bool out_of_time() const { return budget_used() >= 1.0; }
  /// The fraction of the budget that was used then; 0 without a budget.
  double budget_used() const {
    return options_.minutes > 0.0 ? counters_.seconds / (60.0 * options_.minutes) : 0.0;
  }
  /// Seconds since the loop was made, or restored, by the clock of the settings.
  double seconds() const { return now() - start_; }
  /// `patience` validations have passed without a lower loss.
  bool out_of_patience() const {
    const int64_t patience = patience_of(options_);
    return patience > 0 && counters_.stale_validations >= patience;
  }
  /// save() wrote this state, or restore() read it.
  bool saved() const { return saved_step_ == counters_.step; }
  bool is_writer() const { return collective() == nullptr || collective()->rank() == 0; }

  const Objective& objective() const { return *objective_; }
  torch::nn::Module& module() const { return objective_->module(); }
  const TrainingOptions& options() const { return options_; }
  const LoopSettings& settings() const { return settings_; }
  Collective* collective() const { return settings_.collective.get(); }
  const TrainingCounters& counters() const { return counters_; }
  const FlatParameters& parameters() const { return flat_; }
  /// Null without EMA.
  const Ema* average() const { return ema_ ? &*ema_ : nullptr; }

 private:
  void start();
  void check_same_run(const Checkpoint& saved) const;
  void copy_from(const Checkpoint& saved);
  Estimate finite_loss(const StepLoss& step);
  double finite_gradient_norm();
  [[noreturn]] void stop_non_finite(const char* what, const std::string& origin);
  bool state_is_good() const;
  double now() const;
  void count_time();
  Rng rng() const { return Rng(static_cast<uint64_t>(options_.seed)); }

  std::shared_ptr<const Objective> objective_;
  TrainingOptions options_;
  LoopSettings settings_;
  at::TensorOptions kind_;
  FlatParameters flat_;
  Adam adam_;
  FrozenParameters frozen_;
  std::optional<Ema> ema_;
  TrainingCounters counters_;
  NamedTensors best_;
  bool initialised_ = false;
  bool started_ = false;
  int64_t saved_step_ = -1;
  double start_ = 0.0;
  double seconds_before_ = 0.0;  ///< Of the budget, when this session began.
};

}  // namespace contraflow
