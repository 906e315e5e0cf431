#pragma once

#include <memory>

#include "contraflow/core/export.h"
#include "contraflow/runs/run_config.h"
#include "contraflow/training/objective.h"
#include "contraflow/training/run_folder.h"
#include "contraflow/training/trainer.h"

namespace contraflow {

/// What a run minimises: the objective that its config names, of its flow and its data.
CF_EXPORT std::shared_ptr<const Objective> objective_of(const PreparedRun& run);

/// `hooks` with what a run's checkpoints hold and a resumed run is compared with.
CF_EXPORT TrainerHooks with_metadata(const PreparedRun& run, TrainerHooks hooks = {});

/// Trains a prepared run in its folder, from the checkpoint there if there is one.
///
/// Result     the flow of the run holds the best validated weights; the folder has config, metrics
///            and a checkpoint that load() reads.
/// Throws     as fit_in_folder().
/// Example    PreparedRun run = prepare_run(run_config_from_json(parse_toml(text, name), name));
///            const RunFolder folder("runs/moons", RunMode::kNew, run.config_toml());
///            train(run, folder);
CF_EXPORT TrainReport train(PreparedRun& run, const RunFolder& folder, TrainerHooks hooks = {});

}  // namespace contraflow
