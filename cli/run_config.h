#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/data/dataset.h"
#include "contraflow/distributions/energies.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/models/model_options.h"
#include "contraflow/training/training_options.h"

namespace contraflow::cli {

/// What a config file holds, and the run folder after every default is filled in.
struct RunConfig {
  data::DataOptions data = {};
  ModelOptions model = {};  ///< The defaults are those of model.preset.
  TrainingOptions training = {};
};

template <class Field>
void visit(RunConfig& o, Field&& field) {
  field("data", o.data, "What to fit a density to.");
  field("model", o.model, "The flow.");
  field("training", o.training, "How it is trained.");
}

/// Reads a config; absent keys are those of the preset. ConfigError names the dotted path.
RunConfig run_config_from_json(const nlohmann::ordered_json& json, std::string_view where);

/// Paths of files (rows, weights) from the root: other commands run elsewhere, and must find the
/// data too.
void make_path_absolute(data::DataOptions& data);

/// Every key a config may hold, with default, type, range and meaning, for --help.
std::string run_config_help();

/// What a trained model knows about the columns of its data.
struct DataColumns {
  std::vector<int64_t> event_shape = {};
  std::vector<std::string> columns = {};
  std::vector<std::string> condition = {};
  std::string label = {};
  int64_t classes = 0;
  std::string weight = {};
  int64_t levels = 0;                             ///< Integers 0 .. levels - 1; 0 = continuous.
  std::vector<double> bounds = {};                ///< [low, high]; empty = unbounded.
  std::optional<double> entropy = std::nullopt;   ///< Of the data, in nats, where known.
  std::optional<double> plot_box = std::nullopt;  ///< Half the side of the square to plot.

  int64_t dim() const { return event_shape.empty() ? 0 : event_shape.front(); }
  int64_t condition_size() const { return static_cast<int64_t>(condition.size()) + classes; }
  data::RowLayout layout() const { return {columns, condition, label, weight, classes}; }
};

template <class Field>
void visit(DataColumns& o, Field&& field) {
  field("event_shape", o.event_shape, non_empty(), "Shape of one event.");
  field("columns", o.columns, "Columns of the density.");
  field("condition", o.condition, "Columns of numbers to condition on.");
  field("label", o.label, "Column of classes to condition on.");
  field("classes", o.classes, non_negative(), "Number of classes.");
  field("weight", o.weight, "Column of row weights.");
  field("levels", o.levels, non_negative(), "Integer levels; 0 = continuous.");
  field("bounds", o.bounds, "[low, high]; empty = unbounded.");
  field("entropy", o.entropy, "Entropy of the data in nats.");
  field("plot_box", o.plot_box, "Half the side of the square to plot.");
}

DataColumns columns_of(const data::Dataset& dataset);

/// The energy that a run or its model is fitted to or can be measured against, if its data has one.
std::optional<EnergyKind> energy_of(const RunConfig& config);

/// Everything that a run needs, made from a config before anything is written.
struct PreparedRun {
  RunConfig config;
  data::Dataset dataset;
  DataColumns columns;
  FlowSpec spec;
  FlowPtr flow;

  std::string config_toml() const;
  /// For the checkpoint: the config, the columns and the flow as data.
  nlohmann::ordered_json metadata() const;
};

PreparedRun prepare_run(RunConfig config);

at::ScalarType scalar_type(FloatType type);

}  // namespace contraflow::cli
