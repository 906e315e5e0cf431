#include "cli/training_run.h"

#include <csignal>
#include <memory>
#include <utility>

#include "contraflow/training/objective_registry.h"
#include "contraflow/training/progress.h"

namespace contraflow::cli {
namespace {

volatile std::sig_atomic_t stop_requested = 0;  // all that a signal handler may touch
struct sigaction earlier_action {};

void on_interrupt(int /*signal*/) { stop_requested = 1; }

std::shared_ptr<const Objective> objective_of(const PreparedRun& run) {
  ObjectiveInputs inputs{.flow = run.flow, .splits = run.dataset.splits};
  if (const auto kind = energy_of(run.config)) {
    inputs.energy = [kind = *kind](const at::Tensor& x) { return energy(kind, x); };
  }
  return make_objective(inputs, run.config.training);
}

// What a run of an earlier version stored, with the options that it did not know yet.
nlohmann::ordered_json resolved_metadata(const nlohmann::ordered_json& stored) {
  nlohmann::ordered_json out = stored;
  out.erase("columns");
  out = options_to_json(run_config_from_json(out, "resume"));
  out["columns"] = options_to_json(options_from_json<data::Columns>(stored["columns"], "resume"));
  return out;
}

}  // namespace

InterruptScope::InterruptScope() {
  stop_requested = 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigaction(SIGINT, &action, &earlier_action);
}

InterruptScope::~InterruptScope() { ::sigaction(SIGINT, &earlier_action, nullptr); }

bool InterruptScope::interrupted() { return stop_requested != 0; }

TrainReport train_in_folder(const Objective& objective, const TrainingOptions& options,
                            const RunFolder& folder, TrainerHooks hooks, const Console& console) {
  const Console::Terminal& terminal = console.terminal();
  ProgressPrinter progress(console.err(), options.steps,
                           {.is_terminal = terminal.err, .columns = terminal.columns});
  const InterruptScope interrupt;
  hooks.on_step = [&progress](const MetricsRecord& record) { progress.on_step(record); };
  hooks.should_stop = [] { return InterruptScope::interrupted(); };
  TrainReport report;
  try {
    report = fit_in_folder(objective, options, folder, std::move(hooks));
  } catch (...) {
    progress.finish();
    throw;
  }
  progress.finish();
  return report;
}

TrainReport train_in_folder(PreparedRun& run, const RunFolder& folder, const Console& console) {
  TrainerHooks hooks;
  hooks.config = run.metadata();
  hooks.resolve_config = resolved_metadata;
  return train_in_folder(*objective_of(run), run.config.training, folder, std::move(hooks),
                         console);
}

}  // namespace contraflow::cli
