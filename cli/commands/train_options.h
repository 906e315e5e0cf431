#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "contraflow/runs/run_config.h"

namespace contraflow::cli {

/// What 'contraflow train' is asked for.
struct TrainArguments {
  std::string input;  ///< A config or data, as it was typed; sort_input() puts it where it belongs.
  std::string config, data, model, out, device;
  std::vector<std::string> set;
  std::vector<std::string> key_values;  ///< Of the options that set one key; empty = not given.
  std::string epochs;
  int64_t threads = 0;  ///< Of --threads.
  bool resume = false;
  bool overwrite = false;
};

void add_train_options(CLI::App& app, TrainArguments& a);

/// Makes of INPUT a config or data. ConfigError or IoError where it is neither.
void sort_input(TrainArguments& a);

/// The run folder: --out, or runs/ and the name of the config or of data and model.
std::filesystem::path folder_of(const TrainArguments& a);

/// The config with everything that the command line sets over it. ConfigError where two options set
/// the same key.
RunConfig resolve_config(const TrainArguments& a, const std::filesystem::path& folder);

/// --epochs as steps, which takes the number of training rows.
void apply_epochs(const TrainArguments& a, PreparedRun& run, const Console& console);

/// The options that a word from other programs means: "--learning-rate" -> "--lr"; empty = unknown.
std::vector<std::string> train_options_meant(std::string_view word);

}  // namespace contraflow::cli
