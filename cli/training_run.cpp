#include "cli/training_run.h"

#include <ATen/ATen.h>

#include <memory>
#include <utility>

#include "cli/signals.h"
#include "contraflow/core/memory.h"
#include "contraflow/core/text.h"
#include "contraflow/runs/train.h"
#include "contraflow/training/progress.h"

namespace contraflow::cli {

TrainReport train_in_folder(const Objective& objective, const TrainingOptions& options,
                            const RunFolder& folder, TrainerHooks hooks, const Console& console) {
  const Console::Terminal& terminal = console.terminal();
  ProgressPrinter progress(
      console.err(), options.steps,
      {.is_terminal = terminal.err, .columns = terminal.columns, .budget = 60.0 * options.minutes});
  const StopScope scope;
  hooks.on_step = [&progress](const MetricsRecord& record) { progress.on_step(record); };
  hooks.should_stop = [] { return stop_signal() != 0; };
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
  const int64_t batch = run.config.training.batch_size;
  const bool images = run.columns.event_shape.size() > 1;
  TrainReport report;
  with_memory({"train",
               format_count(batch) + (images ? " images " : " rows ") +
                   c10::str(at::IntArrayRef(run.columns.event_shape)),
               "Lower training.batch_size, or make the model smaller."},
              [&] {
                report = train_in_folder(*objective_of(run), run.config.training, folder,
                                         with_metadata(run), console);
              });
  return report;
}

}  // namespace contraflow::cli
