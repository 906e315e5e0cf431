#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "contraflow/core/export.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/checkpoint.h"
#include "contraflow/training/collective.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/objective.h"
#include "contraflow/training/run_folder.h"
#include "contraflow/training/training_options.h"

namespace contraflow {

enum class TrainStatus {
  kCompleted,     ///< All steps done.
  kEarlyStopped,  ///< `patience` validations without a lower loss.
  kInterrupted,   ///< should_stop() said so; the step was finished and saved.
  kOutOfTime,     ///< The budget options.minutes is used up; the step was finished and saved.
};
constexpr auto enum_names(TrainStatus) {
  return std::array{std::pair{"completed", TrainStatus::kCompleted},
                    std::pair{"early_stopped", TrainStatus::kEarlyStopped},
                    std::pair{"interrupted", TrainStatus::kInterrupted},
                    std::pair{"out_of_time", TrainStatus::kOutOfTime}};
}

/// What a caller may attach to a run; all of it is optional.
struct TrainerHooks {
  /// Every step; keep it cheap. With a collective this and on_record run on rank 0 alone.
  std::function<void(const MetricsRecord&)> on_step;
  /// Logged steps: the first, the last, each log_every-th and each validated one.
  std::function<void(const MetricsRecord&)> on_record;
  /// Asked after every step; true finishes the run here, on all ranks. A signal handler sets a flag
  /// that this reads.
  std::function<bool()> should_stop;
  /// Where checkpoints go; empty = none are written.
  std::filesystem::path checkpoint_path;
  /// See LoopSettings.
  nlohmann::ordered_json config;
  std::function<nlohmann::ordered_json(const nlohmann::ordered_json& stored)> resolve_config;
  std::shared_ptr<Collective> collective;
  /// Seconds since any fixed moment; null = the steady clock. See LoopSettings.
  std::function<double()> clock;
  /// State to go on from, on every rank; null = a new run. Must outlive the call.
  const Checkpoint* resume = nullptr;
  /// Training time of earlier sessions, added to the seconds of the records.
  double seconds_before = 0.0;
};

struct TrainReport {
  TrainStatus status = TrainStatus::kCompleted;
  int64_t step = 0;              ///< Steps done in the whole run.
  std::optional<Estimate> loss;  ///< Of the last step of this session; none if it did no step.
  std::optional<BestValidation> best;          ///< Lowest validation loss.
  WeightChoice weights = WeightChoice::kLast;  ///< What the module holds now: best, ema or last.
  double seconds = 0.0;                        ///< Of the whole run.
  double steps_per_second = 0.0;               ///< Of this session.
};

/// Trains what the objective holds: the usual course of a TrainingLoop, which says more.
///
/// State      before step 0, the module is initialised from up to init_rows training rows. Weights
///            are validated every validate_every steps and at the end; training stops early by
///            `patience` or when its `minutes` are over. The test split is never read.
/// Result     the module holds the best validated weights; without validation the averaged ones;
///            without EMA the last. Its gradients are undefined.
/// Resume     bit for bit on one machine and build with the same number of threads, whenever every
///            state of the module is a parameter or a buffer, and there is no budget of time.
/// Threads    exclusive access to the module; the process-wide LibTorch thread count is set while
///            it runs when options.threads > 0.
/// Throws     as TrainingLoop.
/// Example    fit(MaxLikelihood(flow, splits), {.steps = 5000});
CF_EXPORT TrainReport fit(const Objective& objective, const TrainingOptions& options,
                          const TrainerHooks& hooks = {});

/// Trains a flow by maximum likelihood: Adam on the mean of -log p(x) over batches, weighted where
/// the rows have weights (see MaxLikelihood).
/// Example    const TrainReport report = fit(*flow, splits, {.steps = 5000});
CF_EXPORT TrainReport fit(Flow& flow, const data::Splits& splits, const TrainingOptions& options,
                          const TrainerHooks& hooks = {});

/// fit() with metrics and checkpoints in a run folder, going on from the checkpoint there if there
/// is one. checkpoint_path, resume and seconds_before of `hooks` are set here. With a collective it
/// is rank 0 that has the folder; the others call fit() with the checkpoint as hooks.resume.
CF_EXPORT TrainReport fit_in_folder(const Objective& objective, const TrainingOptions& options,
                                    const RunFolder& folder, TrainerHooks hooks = {});
CF_EXPORT TrainReport fit_in_folder(Flow& flow, const data::Splits& splits,
                                    const TrainingOptions& options, const RunFolder& folder,
                                    TrainerHooks hooks = {});

}  // namespace contraflow
