#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/checkpoint.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/objective.h"
#include "contraflow/training/run_folder.h"
#include "contraflow/training/training_options.h"

namespace contraflow {

enum class TrainStatus {
  kCompleted,     ///< All steps done.
  kEarlyStopped,  ///< `patience` validations without a lower loss.
  kInterrupted,   ///< should_stop() said so; the step was finished and saved.
};
template <>
struct EnumNames<TrainStatus> {
  static constexpr std::array values{std::pair{"completed", TrainStatus::kCompleted},
                                     std::pair{"early_stopped", TrainStatus::kEarlyStopped},
                                     std::pair{"interrupted", TrainStatus::kInterrupted}};
};

/// What a caller may attach to a run; all of it is optional.
struct TrainerHooks {
  /// Every step; keep it cheap.
  std::function<void(const MetricsRecord&)> on_step;
  /// Logged steps: the first, the last, each log_every-th and each validated one.
  std::function<void(const MetricsRecord&)> on_record;
  /// Asked after every step; true finishes the run here. A signal handler sets a flag that this
  /// reads.
  std::function<bool()> should_stop;
  /// Where checkpoints go; empty = none are written.
  std::filesystem::path checkpoint_path;
  /// Resolved configuration of model and data, kept in the checkpoint; a resumed run must have the
  /// same one. A key "training" in it is not compared (the training options are compared apart).
  nlohmann::ordered_json config;
  /// State to go on from; null = a new run. Must outlive the call.
  const Checkpoint* resume = nullptr;
  /// Training time of earlier sessions, added to the seconds of the records.
  double seconds_before = 0.0;
};

struct TrainReport {
  TrainStatus status = TrainStatus::kCompleted;
  int64_t step = 0;                   ///< Steps done in the whole run.
  std::optional<MeanWithError> loss;  ///< Of the last step of this session; none if it did no step.
  std::optional<BestValidation> best;          ///< Lowest validation loss.
  WeightChoice weights = WeightChoice::kLast;  ///< What the flow holds now: best, ema or last.
  double seconds = 0.0;                        ///< Of the whole run.
  double steps_per_second = 0.0;               ///< Of this session.
};

/// Trains a flow by maximum likelihood: Adam on the mean of -log p(x) over batches, weighted where
/// the rows have weights (see MaxLikelihood).
///
/// State      before step 0, flow.prepare() with up to init_rows training rows; before each step
/// with
///            its batch. Validation sees weights (the average when EMA is on) with norm buffers of
///            their own and leaves the training state as it was. The test split is never read.
/// Result     the flow holds the best validated weights; without validation the averaged ones;
/// without
///            EMA the last. Its gradients are undefined.
/// Resume     bit for bit on one machine and build with the same number of threads, whenever every
///            state of the flow is a parameter or a buffer.
/// Random     Rng(seed): "train", step for steps; "validate" for every validation alike.
/// Threads    exclusive access to the flow; the process-wide LibTorch thread count is set while it
/// runs
///            when options.threads > 0.
/// Throws     ConfigError (options; a checkpoint of another run), ShapeError (sources that do not
/// fit the
///            flow), DomainError (weights that are negative, not finite, or all zero in a batch),
///            NumericsError (a loss or gradient that is not finite: nothing was updated, the
///            state before the step is saved if there is a checkpoint path), IoError.
/// Example    const TrainReport report = fit(*flow, splits, {.steps = 5000});
TrainReport fit(Flow& flow, const data::Splits& splits, const TrainingOptions& options,
                const TrainerHooks& hooks = {});

/// The same loop for another objective; fit_reverse_kl() is one. Rows of the training split are
/// then what the objective draws.
TrainReport fit(Flow& flow, const Objective& objective, const TrainingOptions& options,
                const TrainerHooks& hooks = {});

/// fit() with metrics and checkpoints in a run folder, going on from the checkpoint there if there
/// is one. checkpoint_path, resume and seconds_before of `hooks` are set here.
TrainReport fit_in_folder(Flow& flow, const data::Splits& splits, const TrainingOptions& options,
                          const RunFolder& folder, TrainerHooks hooks = {});
TrainReport fit_in_folder(Flow& flow, const Objective& objective, const TrainingOptions& options,
                          const RunFolder& folder, TrainerHooks hooks = {});

}  // namespace contraflow
