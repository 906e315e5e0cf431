#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/data/dataset.h"
#include "contraflow/distributions/energies.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/training/training_options.h"

namespace contraflow {

/// Training where a config says nothing of it: a rate that falls along a cosine after a warm-up,
/// averaged weights, and an end where validation gains no more (docs/decisions/0020-training-defaults.md).
CF_EXPORT TrainingOptions default_training();

/// What a config file holds, and the run folder after every default is filled in.
struct RunConfig {
  data::DataOptions data = {};
  /// A preset and the options of its family; see models::read_model().
  nlohmann::ordered_json model = nlohmann::ordered_json::object();
  TrainingOptions training = default_training();
};

template <class Field>
void visit(RunConfig& o, Field&& field) {
  field("data", o.data, "What to fit a density to.");
  field("model", o.model, "The flow.");
  field("training", o.training, "How it is trained.");
}

/// Reads a config; absent keys are those of the preset. ConfigError names the dotted path.
CF_EXPORT RunConfig run_config_from_json(const nlohmann::ordered_json& json,
                                         std::string_view where);

/// Every key a config may hold, with default, type, range and meaning; those of the model are of the
/// default preset.
CF_EXPORT std::vector<OptionInfo> describe_run_config();

/// Paths of files (rows, weights) from the root: other commands run elsewhere, and must find the
/// data too.
CF_EXPORT void make_path_absolute(data::DataOptions& data);

/// The energy that a run or its model is fitted to or can be measured against, if its data has one.
CF_EXPORT std::optional<EnergyKind> energy_of(const RunConfig& config);

/// Everything that a run needs, made from a config before anything is written.
struct CF_EXPORT PreparedRun {
  RunConfig config;
  data::Dataset dataset;
  data::Columns columns;
  FlowSpec spec;
  FlowPtr flow;

  std::string config_toml() const;
  /// For the checkpoint, which holds the flow as data apart: the config and the columns.
  nlohmann::ordered_json metadata() const;
};

CF_EXPORT PreparedRun prepare_run(RunConfig config);

}  // namespace contraflow
