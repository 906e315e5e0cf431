#include "contraflow/training/trainer.h"

#include <ATen/Parallel.h>

#include <utility>

#include "contraflow/core/parallel.h"
#include "contraflow/training/max_likelihood.h"
#include "contraflow/training/training_loop.h"

namespace contraflow {
namespace {

class ThreadScope {
 public:
  explicit ThreadScope(int64_t threads) : before_(at::get_num_threads()) {
    set_threads("fit", threads);
  }
  ~ThreadScope() { at::set_num_threads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

/// The course of fit(): when to validate, record, save and stop.
class Course {
 public:
  Course(const Objective& objective, const TrainingOptions& options, const TrainerHooks& hooks)
      : hooks_(hooks),
        loop_({std::shared_ptr<const Objective>(), &objective}, options,
              {.checkpoint_path = hooks.checkpoint_path,
               .config = hooks.config,
               .resolve_config = hooks.resolve_config,
               .collective = hooks.collective,
               .clock = hooks.clock}) {
    if (hooks.resume != nullptr) loop_.restore(*hooks.resume);
    first_step_ = loop_.counters().step;
  }

  TrainReport run() {
    TrainReport report;
    report.status = steps(report);
    if (!loop_.saved()) loop_.save();
    report.weights = loop_.finish();
    report.step = loop_.counters().step;
    report.best = loop_.counters().best;
    report.seconds = seconds();
    const double session = report.seconds - hooks_.seconds_before;
    report.steps_per_second =
        session > 0.0 ? static_cast<double>(report.step - first_step_) / session : 0.0;
    return report;
  }

 private:
  TrainStatus steps(TrainReport& report) {
    const TrainingOptions& options = loop_.options();
    while (true) {
      if (const auto end = ended()) return *end;
      MetricsRecord record = loop_.step();
      report.loss = record.loss;
      if (due(options.validate_every) || (last() && options.validate_every > 0)) {
        const Validation validation = loop_.validate();
        record.validation = validation.loss;
        record.is_best = validation.is_best;
      }
      record.seconds = seconds();
      record.budget_used = loop_.budget_used();
      tell(record);  // before the checkpoint: a resumed run has every line up to its step
      if (due(options.checkpoint_every)) loop_.save();
      if (!last() && asked_to_stop()) return TrainStatus::kInterrupted;
    }
  }

  std::optional<TrainStatus> ended() const {
    if (loop_.out_of_patience()) return TrainStatus::kEarlyStopped;
    if (loop_.done()) return TrainStatus::kCompleted;
    if (loop_.out_of_time()) return TrainStatus::kOutOfTime;
    return std::nullopt;
  }

  bool last() const { return loop_.done() || loop_.out_of_time(); }

  bool due(int64_t every) const { return every > 0 && loop_.counters().step % every == 0; }

  void tell(const MetricsRecord& record) const {
    if (!loop_.is_writer()) return;
    if (hooks_.on_step) hooks_.on_step(record);
    const bool logged =
        record.step == 1 || due(loop_.options().log_every) || record.validation || last();
    if (logged && hooks_.on_record) hooks_.on_record(record);
  }

  bool asked_to_stop() const {
    return any_rank(hooks_.should_stop && hooks_.should_stop(), loop_.collective());
  }

  double seconds() const { return hooks_.seconds_before + loop_.seconds(); }

  const TrainerHooks& hooks_;
  TrainingLoop loop_;
  int64_t first_step_ = 0;
};

}  // namespace

TrainReport fit(const Objective& objective, const TrainingOptions& options,
                const TrainerHooks& hooks) {
  const ThreadScope threads(options.threads);
  return Course(objective, options, hooks).run();
}

TrainReport fit(Flow& flow, const data::Splits& splits, const TrainingOptions& options,
                const TrainerHooks& hooks) {
  return fit(MaxLikelihood(borrowed(flow), splits, options.init_rows), options, hooks);
}

TrainReport fit_in_folder(const Objective& objective, const TrainingOptions& options,
                          const RunFolder& folder, TrainerHooks hooks) {
  std::optional<Checkpoint> saved;
  if (folder.has_checkpoint()) saved = load_checkpoint(folder.checkpoint_path());
  MetricsWriter metrics(folder.metrics_path(), saved ? saved->counters.step : 0);
  hooks.resume = saved ? &*saved : nullptr;
  hooks.checkpoint_path = folder.checkpoint_path();
  hooks.seconds_before = metrics.seconds();
  const std::function<void(const MetricsRecord&)> caller = hooks.on_record;
  hooks.on_record = [&metrics, caller](const MetricsRecord& record) {
    metrics.write(record);
    if (caller) caller(record);
  };
  return fit(objective, options, hooks);
}

TrainReport fit_in_folder(Flow& flow, const data::Splits& splits, const TrainingOptions& options,
                          const RunFolder& folder, TrainerHooks hooks) {
  return fit_in_folder(MaxLikelihood(borrowed(flow), splits, options.init_rows), options, folder,
                       std::move(hooks));
}

}  // namespace contraflow
