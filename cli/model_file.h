#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/run_config.h"
#include "contraflow/training/checkpoint.h"

namespace contraflow::cli {

struct LoadOptions {
  FloatType dtype = FloatType::kFloat64;  ///< What the weights are converted to.
  WeightChoice weights = WeightChoice::kSelected;
  /// `model.KEY=VALUE` that replaces how every contractive block is evaluated, not what it is: KEY
  /// is eval_log_det, solver or tolerance, or below one of them.
  std::vector<std::string> set = {};
};

/// A trained model from its checkpoint, which needs nothing but itself.
struct ModelFile {
  std::filesystem::path checkpoint_path;
  RunConfig config;
  DataColumns columns;
  FlowSpec spec;
  TrainingCounters counters;
  FlowPtr flow;
  WeightChoice weights = WeightChoice::kSelected;  ///< What the flow holds.
  bool has_ema = false;
  int64_t bytes = 0;  ///< Size of the file.

  /// The folder that the checkpoint lies in, for pictures and metrics.
  std::filesystem::path folder() const { return checkpoint_path.parent_path(); }
  /// Something in a log-density is drawn at random: a dequantization or an estimated log-det.
  bool is_random() const;
  /// The log-determinants carry a bias, which is bounded.
  bool is_biased() const;
};

/// `path` is a run folder or a checkpoint file. Throws IoError (missing, truncated, malformed, or
/// no checkpoint of a run of this program), ConfigError (another model, a bad `set`).
ModelFile load_model(const std::filesystem::path& path, const LoadOptions& options = {});

/// The data of the model's training, opened again; ConfigError if they changed their columns.
data::Dataset open_model_data(const ModelFile& model);
/// One part of them; ConfigError where it has no rows.
const data::Source& split_of(const data::Dataset& dataset, const std::string& split);

}  // namespace contraflow::cli
