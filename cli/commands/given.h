#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "contraflow/runs/run_config.h"

namespace contraflow::cli {

/// --given NAME=VALUE, once for every column that the model is conditioned on.
void add_given_option(CLI::App& app, std::vector<std::string>& given);

/// The condition [1, C] of those words, in float64; undefined for an unconditional model.
/// ConfigError: a column that is missing, unknown or not a number; a label that is no class.
at::Tensor given_condition(const std::vector<std::string>& given, const data::Columns& columns);

}  // namespace contraflow::cli
