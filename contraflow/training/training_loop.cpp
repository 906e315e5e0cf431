#include "contraflow/training/training_loop.h"

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/training/objective_registry.h"

namespace contraflow {
namespace {

using nlohmann::ordered_json;

// The objectives that a config can name say how they are called.
std::string use_of(const std::string& name) {
  for (const ObjectiveEntry& entry : objective_registry()) {
    if (entry.name == name) return "Use " + entry.use + ", or set the option to that name.";
  }
  return "Set the option to that name.";
}

const Objective& checked(const std::shared_ptr<const Objective>& objective,
                         const TrainingOptions& options) {
  if (objective == nullptr) {
    fail<ConfigError>("fit", "objective", "what to minimise", "null", "Pass an objective.");
  }
  check_options(options, "training");
  if (options.objective != objective->name()) {
    fail<ConfigError>("fit", "training.objective",
                      "\"" + objective->name() + "\", the objective that was given",
                      "\"" + options.objective + "\"", use_of(options.objective));
  }
  objective->check(options);
  return *objective;
}

// Converts before anything takes views of the parameters. Returns dtype and device of the module.
at::TensorOptions place(torch::nn::Module& module, const TrainingOptions& options) {
  const at::ScalarType dtype = scalar_type(options.dtype);
  const at::Tensor own = first_floating_tensor(module);
  at::Device device = own.defined() ? own.device() : at::Device(at::kCPU);
  if (own.defined() && own.scalar_type() != dtype) module.to(dtype);
  if (options.device) {
    const at::Device wanted = resolve_device(*options.device, "training");
    if (own.defined() && wanted != device) module.to(wanted);
    device = wanted;
  }
  return at::TensorOptions().dtype(dtype).device(device);
}

// A longer run goes on from where it is, at the rate that its new length has there.
void warn_of_another_length(const TrainingOptions& then, const TrainingOptions& now, int64_t step) {
  if (now.schedule.kind == Schedule::kConstant) return;
  if (then.steps == now.steps && then.minutes == now.minutes) return;
  const auto length = [](const TrainingOptions& o) {
    const std::string minutes = o.minutes > 0.0 ? c10::str(o.minutes, " minutes") : "";
    if (o.steps == 0) return minutes;
    return c10::str(o.steps, " steps", minutes.empty() ? "" : " or ", minutes);
  };
  log(LogLevel::kWarning,
      c10::str("[resume] from step ", step + 1, " on the learning rate is that of a run of ",
               length(now), "; the run was begun for ", length(then)));
}

}  // namespace

TrainingLoop::TrainingLoop(std::shared_ptr<const Objective> objective,
                           const TrainingOptions& options, LoopSettings settings)
    : objective_(std::move(objective)),
      options_(options),
      settings_(std::move(settings)),
      kind_(place(checked(objective_, options_).module(), options_)),
      flat_(objective_->module()),
      adam_(flat_, options.adam),
      frozen_(flat_, options.freeze) {
  if (flat_.count() == 0) {
    fail<ConfigError>("fit", "flow", "trainable parameters", "none",
                      "Add a transform that learns.");
  }
  if (options_.ema_decay > 0.0) ema_.emplace(flat_, options_.ema_decay);
  start_ = now();
}

TrainingLoop::~TrainingLoop() = default;

void TrainingLoop::start() {
  if (started_) return;
  if (!initialised_) {
    objective_->initialise(options_.init_rows, kind_, rng().fork("initialise"));
  }
  initialised_ = true;
  broadcast_state(module(), collective());
  frozen_.hold();
  for (const std::string& line : objective_->warnings()) log(LogLevel::kWarning, "[fit] " + line);
  started_ = true;
}

MetricsRecord TrainingLoop::step() {
  start();
  flat_.require_current();
  flat_.zero_gradients();
  MetricsRecord record;
  record.loss = finite_loss(objective_->add_gradient(
      {.index = counters_.step,
       .batch_size = options_.batch_size,
       .kind = kind_,
       .rng = rng().fork("train").fork(static_cast<uint64_t>(counters_.step)),
       .collective = collective()}));
  if (collective() != nullptr) {
    for (const at::Tensor& gradient : flat_.gradients()) collective()->all_reduce_sum(gradient);
  }
  record.gradient_norm = finite_gradient_norm();
  if (options_.clip_norm > 0.0) clip_gradients(flat_, record.gradient_norm, options_.clip_norm);
  record.learning_rate =
      options_.adam.learning_rate *
      schedule_factor(options_.schedule, counters_.step, options_.steps, budget_used());
  adam_.step(record.learning_rate);
  record.step = ++counters_.step;
  frozen_.put_back(record.step);
  if (ema_) ema_->update();
  count_time();
  return record;
}

double TrainingLoop::now() const {
  if (settings_.clock) return settings_.clock();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Rates and the end of training follow from the time: all ranks take that of rank 0.
void TrainingLoop::count_time() {
  if (options_.minutes == 0.0) return;
  counters_.seconds = seconds_before_ + seconds();
  if (collective() == nullptr) return;
  const at::Tensor shared = at::scalar_tensor(counters_.seconds, kind_.dtype(at::kDouble));
  collective()->broadcast(shared);
  counters_.seconds = shared.item<double>();
}

Estimate TrainingLoop::finite_loss(const StepLoss& step) {
  const Estimate loss = mean_loss(step, collective());
  if (std::isfinite(loss.mean)) return loss;
  const bool here = !at::isfinite(step.loss).all().item<bool>();
  stop_non_finite("loss", here || collective() == nullptr ? objective_->origin(flat_, step)
                                                          : "rows of another rank that are not");
}

double TrainingLoop::finite_gradient_norm() {
  const double norm = gradient_norm(flat_);
  if (std::isfinite(norm)) return norm;
  stop_non_finite("gradient", objective_->gradient_origin(flat_));
}

void TrainingLoop::stop_non_finite(const char* what, const std::string& origin) {
  std::string remedy = "Nothing was updated";
  if (!settings_.checkpoint_path.empty()) {
    try {
      if (state_is_good()) save();
    } catch (const IoError&) {  // the loss is the news; the older checkpoint stands
    }
    if (std::filesystem::exists(settings_.checkpoint_path)) {
      remedy += "; the last good state is in " + settings_.checkpoint_path.string();
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
bool TrainingLoop::state_is_good() const {
  for (const at::Tensor& values : flat_.values()) {
    if (!at::isfinite(values).all().item<bool>()) return false;
  }
  for (const at::Tensor& buffer : module().buffers()) {
    if (buffer.defined() && at::isnan(buffer).any().item<bool>()) return false;
  }
  return true;
}

Validation TrainingLoop::validate() {
  start();
  const EvaluationScope scope(module(), flat_, average(), [this] { objective_->refresh(); });
  Validation out;
  out.loss = mean_loss(objective_->validate({.rows = options_.validation_rows,
                                             .batch_size = options_.batch_size,
                                             .rng = rng().fork("validate"),
                                             .collective = collective()}),
                       collective());
  count_time();
  // A loss that is not finite (a row the flow gives no density) is never the best.
  out.is_best = std::isfinite(out.loss.mean) &&
                (!counters_.best || out.loss.mean < counters_.best->loss.mean);
  if (!out.is_best) {
    ++counters_.stale_validations;
    return out;
  }
  counters_.best = BestValidation{counters_.step, out.loss};
  counters_.stale_validations = 0;
  best_ = clone_state(state_of(module()));
  return out;
}

Checkpoint TrainingLoop::checkpoint() const {
  Checkpoint out;
  out.config = settings_.config;
  out.training = options_to_json(options_);
  out.spec = objective_->spec();
  out.counters = counters_;
  out.weights = state_of(module());
  if (ema_) out.ema = flat_.named(ema_->values());
  out.best = best_;
  out.first_moment = flat_.named(adam_.first_moment());
  out.second_moment = flat_.named(adam_.second_moment());
  return out;
}

void TrainingLoop::save() {
  saved_step_ = counters_.step;
  if (settings_.checkpoint_path.empty() || !is_writer()) return;
  save_checkpoint(settings_.checkpoint_path, checkpoint());
}

void TrainingLoop::restore(const Checkpoint& saved) {
  check_same_run(saved);
  copy_from(saved);
  initialised_ = true;
  started_ = false;  // what to warn of is that of the restored state
}

void TrainingLoop::check_same_run(const Checkpoint& saved) const {
  const std::string remedy = "Resume with the configuration of the run, or start a new run.";
  // First, since it knows why other things differ.
  const bool resolves = settings_.resolve_config != nullptr && !saved.config.is_null();
  ordered_json stored = resolves ? settings_.resolve_config(saved.config) : saved.config;
  // Both sides are read as options, so that one that is newer than the checkpoint has its default.
  const auto then = options_from_json<TrainingOptions>(saved.training, "resume: training");
  check_same_config(resume_relevant(then), resume_relevant(options_), "resume: training", remedy);
  warn_of_another_length(then, options_, saved.counters.step);
  ordered_json config = settings_.config;
  if (config.is_object()) config.erase("training");
  if (stored.is_object()) stored.erase("training");
  check_same_config(stored, config, "resume", remedy);
  const ordered_json spec = objective_->spec();
  if (spec.is_null() || saved.spec.is_null()) return;
  check_same_config(objective_->resolved_spec(saved.spec), spec, "resume: model", remedy);
}

void TrainingLoop::copy_from(const Checkpoint& saved) {
  const StateOrigin origin{"resume", "the checkpoint"};
  const NamedTensors state = state_of(module());
  const NamedTensors first = flat_.named(adam_.first_moment());
  const NamedTensors second = flat_.named(adam_.second_moment());
  const NamedTensors average = ema_ ? flat_.named(ema_->values()) : NamedTensors{};
  check_state(state, saved.weights, origin);
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
  start_ = now();
  seconds_before_ = counters_.seconds;
}

WeightChoice TrainingLoop::finish() {
  flat_.release_gradients();
  const at::NoGradGuard no_grad;
  if (counters_.best) {
    copy_state(state_of(module()), best_, {"fit", "the best validation"});
    return WeightChoice::kBest;
  }
  const bool averaged = ema_ && ema_->updates() > 0;
  if (averaged) {
    for (size_t i = 0; i < flat_.values().size(); ++i) flat_.values()[i].copy_(ema_->values()[i]);
  }
  objective_->refresh();
  return averaged ? WeightChoice::kEma : WeightChoice::kLast;
}

}  // namespace contraflow
