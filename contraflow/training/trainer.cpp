#include "contraflow/training/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/core/parallel.h"
#include "contraflow/training/ema.h"
#include "contraflow/training/non_finite.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {
namespace {

using Clock = std::chrono::steady_clock;

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

at::ScalarType scalar_type(FloatType type) {
  return type == FloatType::kFloat64 ? at::kDouble : at::kFloat;
}

// Converts before anything takes views of the parameters.
Flow& in_dtype(Flow& flow, at::ScalarType dtype) {
  const at::Tensor own = first_floating_tensor(flow);
  if (own.defined() && own.scalar_type() != dtype) flow.to(dtype);
  return flow;
}

// One line for all blocks: they are alike in most flows.
void warn_of_infinite_variance(const Flow& flow) {
  const std::vector<std::string> warnings = flow.transform()->warnings(Phase::kTrain);
  const size_t count = warnings.size();
  if (count == 0) return;
  log(LogLevel::kWarning,
      c10::str("[fit] train_log_det: expected a roulette of finite variance, got ", count,
               count == 1 ? " block" : " blocks", " where ", warnings.front(),
               ". Use law = \"optimal\", a smaller geometric_p, or a smaller net.lipschitz."));
}

class Session {
 public:
  Session(Flow& flow, const Objective& objective, const TrainingOptions& options,
          const TrainerHooks& hooks)
      : flow_(in_dtype(flow, scalar_type(options.dtype))),
        objective_(objective),
        options_(options),
        hooks_(hooks),
        flat_(flow),
        adam_(flat_, options.adam),
        kind_(at::TensorOptions().dtype(scalar_type(options.dtype))) {
    if (flat_.count() == 0) {
      fail<ConfigError>("fit", "flow", "trainable parameters", "none",
                        "Add a transform that learns.");
    }
    if (const at::Tensor own = first_floating_tensor(flow); own.defined())
      kind_ = kind_.device(own.device());
    if (options.ema_decay > 0.0) ema_.emplace(flat_, options.ema_decay);
    if (hooks.resume != nullptr) {
      restore(*hooks.resume);
    } else {
      initialise();
    }
    warn_of_infinite_variance(flow);
    first_step_ = counters_.step;
  }

  TrainReport run() {
    TrainReport report;
    report.status = loop();
    if (saved_step_ != counters_.step) save();
    report.weights = select_weights();
    report.step = counters_.step;
    report.loss = last_loss_;
    report.best = counters_.best;
    report.seconds = seconds();
    const double session = report.seconds - hooks_.seconds_before;
    report.steps_per_second =
        session > 0.0 ? static_cast<double>(counters_.step - first_step_) / session : 0.0;
    return report;
  }

 private:
  void initialise();
  void restore(const Checkpoint& checkpoint);
  TrainStatus loop();
  MetricsRecord step();
  MeanWithError finite_loss(const StepLoss& step);
  double finite_gradient_norm();
  [[noreturn]] void stop_non_finite(const char* what, const std::string& origin);
  bool state_is_good() const;
  void validate_weights(MetricsRecord& record);
  void report_step(const MetricsRecord& record) const;
  void save();
  WeightChoice select_weights();
  double seconds() const;
  bool due(int64_t every) const { return every > 0 && counters_.step % every == 0; }
  bool at_end() const { return counters_.step >= options_.steps; }

  Flow& flow_;
  const Objective& objective_;
  const TrainingOptions& options_;
  const TrainerHooks& hooks_;
  FlatParameters flat_;
  Adam adam_;
  std::optional<Ema> ema_;
  at::TensorOptions kind_;
  TrainingCounters counters_;
  NamedTensors best_;
  std::optional<MeanWithError> last_loss_;
  int64_t first_step_ = 0;
  int64_t saved_step_ = -1;
  Clock::time_point start_ = Clock::now();
};

void Session::initialise() {
  objective_.initialise(flow_, options_.init_rows, kind_,
                        Rng(static_cast<uint64_t>(options_.seed)).fork("initialise"));
}

void Session::restore(const Checkpoint& saved) {
  const std::string remedy = "Resume with the configuration of the run, or start a new run.";
  const nlohmann::ordered_json now = resume_relevant(options_);
  // Read as options, so that one that is newer than the checkpoint has its default.
  nlohmann::ordered_json then =
      options_to_json(options_from_json<TrainingOptions>(saved.training, "resume: training"));
  const nlohmann::ordered_json all = options_to_json(options_);
  for (const auto& item : all.items()) {
    if (!now.contains(item.key())) then.erase(item.key());
  }
  check_same_config(then, now, "resume: training", remedy);
  nlohmann::ordered_json config = hooks_.config, saved_config = saved.config;
  if (config.is_object()) config.erase("training");
  if (saved_config.is_object()) saved_config.erase("training");
  check_same_config(saved_config, config, "resume", remedy);

  const StateOrigin origin{"resume", "the checkpoint"};
  const NamedTensors state = state_of(flow_);
  const NamedTensors first = flat_.named(adam_.first_moment());
  const NamedTensors second = flat_.named(adam_.second_moment());
  const NamedTensors average = ema_ ? flat_.named(ema_->values()) : NamedTensors{};
  check_state(first, saved.first_moment, origin);
  check_state(second, saved.second_moment, origin);
  check_state(average, saved.ema, origin);
  if (saved.counters.best) check_state(state, saved.best, origin);
  copy_state(state, saved.weights, origin);
  copy_state(first, saved.first_moment, origin);
  copy_state(second, saved.second_moment, origin);
  copy_state(average, saved.ema, origin);
  best_ = clone_state(saved.best);
  counters_ = saved.counters;
  adam_.set_steps(counters_.step);
  if (ema_) ema_->set_updates(counters_.step);
  saved_step_ = counters_.step;
}

TrainStatus Session::loop() {
  while (true) {
    if (options_.patience > 0 && counters_.stale_validations >= options_.patience) {
      return TrainStatus::kEarlyStopped;
    }
    if (at_end()) return TrainStatus::kCompleted;
    MetricsRecord record = step();
    if (due(options_.validate_every) || (at_end() && options_.validate_every > 0)) {
      validate_weights(record);
    }
    record.seconds = seconds();
    report_step(record);  // before the checkpoint: a resumed run has every line up to its step
    if (due(options_.checkpoint_every)) save();
    if (!at_end() && hooks_.should_stop && hooks_.should_stop()) return TrainStatus::kInterrupted;
  }
}

MetricsRecord Session::step() {
  flat_.require_current();
  flat_.zero_gradients();
  const Rng rng = Rng(static_cast<uint64_t>(options_.seed))
                      .fork("train")
                      .fork(static_cast<uint64_t>(counters_.step));
  MetricsRecord record;
  record.loss = finite_loss(objective_.add_gradient(
      flow_,
      {.index = counters_.step, .batch_size = options_.batch_size, .kind = kind_, .rng = rng}));
  record.gradient_norm = finite_gradient_norm();
  if (options_.clip_norm > 0.0) clip_gradients(flat_, record.gradient_norm, options_.clip_norm);
  record.learning_rate = options_.adam.learning_rate *
                         schedule_factor(options_.schedule, counters_.step, options_.steps);
  adam_.step(record.learning_rate);
  if (ema_) ema_->update();
  record.step = ++counters_.step;
  last_loss_ = record.loss;
  return record;
}

MeanWithError Session::finite_loss(const StepLoss& step) {
  if (std::isfinite(step.loss.mean)) return step.loss;
  stop_non_finite("loss", objective_.origin(flow_, flat_, step));
}

double Session::finite_gradient_norm() {
  const double norm = gradient_norm(flat_);
  if (std::isfinite(norm)) return norm;
  stop_non_finite("gradient", describe(find_in_gradients(flow_, flat_)));
}

void Session::stop_non_finite(const char* what, const std::string& origin) {
  std::string remedy = "Nothing was updated";
  if (!hooks_.checkpoint_path.empty()) {
    try {
      if (state_is_good()) save();
    } catch (const IoError&) {  // the loss is the news; the older checkpoint stands
    }
    if (std::filesystem::exists(hooks_.checkpoint_path)) {
      remedy += "; the last good state is in " + hooks_.checkpoint_path.string();
    }
  }
  flat_.release_gradients();
  remedy +=
      ". Lower adam.learning_rate, lengthen schedule.warmup_steps, or train in float64; check the "
      "data for extreme rows.";
  fail<NumericsError>("fit", c10::str(what, " at step ", counters_.step + 1), "finite values",
                      origin, remedy);
}

// A state that is itself broken must not replace a checkpoint that is not. Buffers may hold
// infinities (a bound that is none) but not NaN.
bool Session::state_is_good() const {
  for (const at::Tensor& values : flat_.values()) {
    if (!at::isfinite(values).all().item<bool>()) return false;
  }
  for (const at::Tensor& buffer : flow_.buffers()) {
    if (buffer.defined() && at::isnan(buffer).any().item<bool>()) return false;
  }
  return true;
}

void Session::validate_weights(MetricsRecord& record) {
  const EvaluationScope scope(flow_, flat_, ema_ ? &*ema_ : nullptr);
  const MeanWithError loss =
      objective_.validate(flow_, options_.validation_rows, options_.batch_size,
                          Rng(static_cast<uint64_t>(options_.seed)).fork("validate"));
  record.validation = loss;
  // A loss that is not finite (a row the flow gives no density) is never the best.
  record.is_best =
      std::isfinite(loss.mean) && (!counters_.best || loss.mean < counters_.best->loss.mean);
  if (!record.is_best) {
    ++counters_.stale_validations;
    return;
  }
  counters_.best = BestValidation{counters_.step, loss};
  counters_.stale_validations = 0;
  best_ = clone_state(state_of(flow_));
}

void Session::report_step(const MetricsRecord& record) const {
  if (hooks_.on_step) hooks_.on_step(record);
  const bool logged = record.step == 1 || due(options_.log_every) || record.validation || at_end();
  if (logged && hooks_.on_record) hooks_.on_record(record);
}

void Session::save() {
  saved_step_ = counters_.step;
  if (hooks_.checkpoint_path.empty()) return;
  Checkpoint checkpoint;
  checkpoint.config = hooks_.config;
  checkpoint.training = options_to_json(options_);
  checkpoint.counters = counters_;
  checkpoint.weights = state_of(flow_);
  if (ema_) checkpoint.ema = flat_.named(ema_->values());
  checkpoint.best = best_;
  checkpoint.first_moment = flat_.named(adam_.first_moment());
  checkpoint.second_moment = flat_.named(adam_.second_moment());
  save_checkpoint(hooks_.checkpoint_path, checkpoint);
}

WeightChoice Session::select_weights() {
  flat_.release_gradients();
  const at::NoGradGuard no_grad;
  if (counters_.best) {
    copy_state(state_of(flow_), best_, {"fit", "the best validation"});
    return WeightChoice::kBest;
  }
  const bool averaged = ema_ && ema_->updates() > 0;
  if (averaged) {
    for (size_t i = 0; i < flat_.values().size(); ++i) flat_.values()[i].copy_(ema_->values()[i]);
  }
  refresh_state(flow_);
  return averaged ? WeightChoice::kEma : WeightChoice::kLast;
}

double Session::seconds() const {
  return hooks_.seconds_before + std::chrono::duration<double>(Clock::now() - start_).count();
}

}  // namespace

TrainReport fit(Flow& flow, const Objective& objective, const TrainingOptions& options,
                const TrainerHooks& hooks) {
  check_options(options, "training");
  objective.check(flow, options);
  const ThreadScope threads(options.threads);
  return Session(flow, objective, options, hooks).run();
}

TrainReport fit(Flow& flow, const data::Splits& splits, const TrainingOptions& options,
                const TrainerHooks& hooks) {
  return fit(flow, MaxLikelihood(splits, options.init_rows), options, hooks);
}

TrainReport fit_in_folder(Flow& flow, const Objective& objective, const TrainingOptions& options,
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
  return fit(flow, objective, options, hooks);
}

TrainReport fit_in_folder(Flow& flow, const data::Splits& splits, const TrainingOptions& options,
                          const RunFolder& folder, TrainerHooks hooks) {
  return fit_in_folder(flow, MaxLikelihood(splits, options.init_rows), options, folder,
                       std::move(hooks));
}

}  // namespace contraflow
