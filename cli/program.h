#pragma once

#include <string>
#include <vector>

#include "cli/console.h"

namespace contraflow::cli {

/// Runs the command line (without the program's name) and returns the exit code: 0; 2 for misuse;
/// 1 for a failure; 128 + N for a training run that signal N stopped. Nothing is thrown.
int run_program(const std::vector<std::string>& arguments, Console& console);

/// "train --set", "score INPUT", ...: every command with its options, in the order of the help.
std::vector<std::string> option_names();

}  // namespace contraflow::cli
