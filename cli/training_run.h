#pragma once

#include "cli/console.h"
#include "contraflow/runs/run_config.h"
#include "contraflow/training/run_folder.h"
#include "contraflow/training/trainer.h"

namespace contraflow::cli {

/// Trains in the folder, from its checkpoint if there is one, with progress on the console. A
/// signal that ends processes asks the run to stop; see StopScope. on_step and should_stop of
/// `hooks` are set here.
TrainReport train_in_folder(const Objective& objective, const TrainingOptions& options,
                            const RunFolder& folder, TrainerHooks hooks, const Console& console);
/// The same for a run of a config.
TrainReport train_in_folder(PreparedRun& run, const RunFolder& folder, const Console& console);

}  // namespace contraflow::cli
