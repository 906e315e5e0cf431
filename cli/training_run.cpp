#include "cli/training_run.h"

#include <csignal>
#include <memory>
#include <utility>

#include "contraflow/runs/train.h"
#include "contraflow/training/progress.h"

namespace contraflow::cli {
namespace {

volatile std::sig_atomic_t stop_requested = 0;  // all that a signal handler may touch
struct sigaction earlier_action {};

void on_interrupt(int /*signal*/) { stop_requested = 1; }

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
  return train_in_folder(*objective_of(run), run.config.training, folder, with_metadata(run),
                         console);
}

}  // namespace contraflow::cli
