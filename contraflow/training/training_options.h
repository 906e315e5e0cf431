#pragma once

#include <optional>
#include <string>

#include "contraflow/core/device.h"
#include "contraflow/core/dtype.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/training/freeze.h"
#include "contraflow/training/optimizer.h"

namespace contraflow {

/// How a flow is trained. Everything random follows from `seed` and the seeds of the data. A run
/// with a budget of time is not reproducible bit for bit: how many steps it does depends on the
/// machine, and so does the rate of a cosine.
struct TrainingOptions {
  /// Name of the objective: that of an entry of objective_registry() in a config; fit() says so
  /// when it is not the name of the objective that it was given.
  std::string objective = "max_likelihood";
  /// Optimizer steps of the whole run; 0 = as many as `minutes` leave time for.
  int64_t steps = 5000;
  /// Budget of time for the whole run, its earlier sessions included: initialisation, steps,
  /// validations and checkpoints, but not reading the data. Training ends after the step, or its
  /// validation, that uses the budget up, or after `steps`, whichever comes first. 0 = no budget.
  double minutes = 0.0;
  /// Rows per step.
  int64_t batch_size = 500;
  /// Type of parameters and data; the flow is converted before the first step.
  FloatType dtype = FloatType::kFloat32;
  /// Where training runs; none = where the flow is.
  std::optional<DeviceKind> device = std::nullopt;
  /// Seed of probes, roulette and dequantization in training and validation.
  int64_t seed = 0;
  AdamOptions adam = {};
  ScheduleOptions schedule = {};
  /// What does not learn, or not from the first step on.
  FreezeOptions freeze = {};
  /// Largest gradient norm; larger ones are scaled down to it. 0 = never, the default: clipping
  /// makes the unbiased gradient biased (see clip_gradients()).
  double clip_norm = 0.0;
  /// Decay of the averaged (Polyak) weights; 0 = none. Validation and the result use the average.
  double ema_decay = 0.0;
  /// Steps between two validations; 0 = none. The last step validates too.
  int64_t validate_every = 100;
  /// Rows of the validation split per validation; fewer if it has fewer. Reverse KL: samples.
  int64_t validation_rows = 5000;
  /// Validations without a lower loss after which training stops; 0 = never. None = 20 where there
  /// are validations.
  std::optional<int64_t> patience = 0;
  /// Steps between two checkpoints. The end of training writes one as well.
  int64_t checkpoint_every = 500;
  /// Training rows that initialise the data-dependent members before step 0.
  int64_t init_rows = 5000;
  /// Steps between two records of the metrics.
  int64_t log_every = 50;
  /// Threads of LibTorch during training; 0 = as set outside. Another number may round sums
  /// otherwise, so bit for bit resume holds for the same number.
  int64_t threads = 0;
};

template <class Field>
void visit(TrainingOptions& o, Field&& field) {
  field("objective", o.objective, non_empty(),
        "max_likelihood of the data, or reverse_kl to the energy that data.name has (u1 to u4).");
  field("steps", o.steps, at_least(0),
        "Optimizer steps of the whole run; 0 = as many as minutes leave time for.");
  field("minutes", o.minutes, non_negative(),
        "Budget of time for the whole run, which ends after the step that uses it up; 0 = none.");
  field("batch_size", o.batch_size, at_least(1), "Rows per step.");
  field("dtype", o.dtype, "Type of parameters and data.");
  field("device", o.device,
        "Where training runs; none = where the model is, which is the CPU "
        "in the program.");
  field("seed", o.seed, non_negative(), "Seed of everything random in training and validation.");
  field("adam", o.adam, "Optimizer.");
  field("schedule", o.schedule, "Course of the learning rate.");
  field("freeze", o.freeze, "What does not learn, or not from the first step on.");
  field("clip_norm", o.clip_norm, non_negative(),
        "Largest gradient norm; 0 = no clipping. Biases.");
  field("ema_decay", o.ema_decay, half_open_interval(0.0, 1.0),
        "Decay of the averaged weights; 0 = none.");
  field("validate_every", o.validate_every, at_least(0),
        "Steps between two validations; 0 = none.");
  field("validation_rows", o.validation_rows, at_least(1),
        "Rows per validation, at most; samples of the flow for reverse_kl.");
  field("patience", o.patience, at_least(0),
        "Validations without a lower loss after which training stops; 0 = never, none = 20 where "
        "there are any.");
  field("checkpoint_every", o.checkpoint_every, at_least(1), "Steps between two checkpoints.");
  field("init_rows", o.init_rows, at_least(1), "Training rows for data-dependent initialisation.");
  field("log_every", o.log_every, at_least(1), "Steps between two records of the metrics.");
  field("threads", o.threads, at_least(0), "Threads; 0 = as set outside.");
}

/// Validations without a lower loss that end a run; 0 = it goes on.
CF_EXPORT int64_t patience_of(const TrainingOptions& options);

/// Throws ConfigError: patience without validation, a warm-up longer than the run, no limit of
/// steps or time.
CF_EXPORT void validate(const TrainingOptions& options);

/// The options as JSON without those that a resumed run may change: steps, minutes, log_every,
/// checkpoint_every, device, threads.
CF_EXPORT nlohmann::ordered_json resume_relevant(const TrainingOptions& options);

}  // namespace contraflow
