#include "cli/training_run.h"

#include <csignal>
#include <memory>

#include "contraflow/training/progress.h"
#include "contraflow/training/reverse_kl.h"

namespace contraflow::cli {
namespace {

volatile std::sig_atomic_t stop_requested = 0;  // all that a signal handler may touch
struct sigaction earlier_action {};

void on_interrupt(int /*signal*/) { stop_requested = 1; }

std::unique_ptr<Objective> objective_of(const PreparedRun& run) {
  const TrainingOptions& training = run.config.training;
  if (training.objective == ObjectiveKind::kMaxLikelihood) {
    return std::make_unique<MaxLikelihood>(run.dataset.splits, training.init_rows);
  }
  const EnergyKind kind = energy_of(run.config).value();  // prepare_run() saw to it
  return std::make_unique<ReverseKl>([kind](const at::Tensor& x) { return energy(kind, x); });
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

TrainReport train_in_folder(PreparedRun& run, const RunFolder& folder, const Console& console) {
  const Console::Terminal& terminal = console.terminal();
  ProgressPrinter progress(console.err(), run.config.training.steps,
                           {.is_terminal = terminal.err, .columns = terminal.columns});
  const InterruptScope interrupt;
  TrainerHooks hooks;
  hooks.on_step = [&progress](const MetricsRecord& record) { progress.on_step(record); };
  hooks.should_stop = [] { return InterruptScope::interrupted(); };
  hooks.config = run.metadata();
  TrainReport report;
  try {
    report = fit_in_folder(*run.flow, *objective_of(run), run.config.training, folder, hooks);
  } catch (...) {
    progress.finish();
    throw;
  }
  progress.finish();
  return report;
}

}  // namespace contraflow::cli
