#pragma once

#include <memory>
#include <optional>

#include "cli/reproduce/row.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {

/// The density run of a row, trained; what it measures is read from its checkpoint.
struct DensityRun {
  std::unique_ptr<RunFolder> folder;  ///< Locked until the row's result is written.
  TrainReport report;
};

/// Trains the row's config in its folder, or goes on; nothing if Ctrl-C stopped it.
std::optional<DensityRun> train_density(const RowJob& job);

/// A trained row in float64 with its data.
struct DensityModel {
  Model file;
  data::Dataset dataset;
};
DensityModel open_density(const RowJob& job, WeightChoice weights);

/// The result of the row: likelihood on every test row, certificate, density map.
nlohmann::ordered_json measure_density(const RowJob& job, const DensityRun& run,
                                       const DensityModel& model);

}  // namespace contraflow::cli
