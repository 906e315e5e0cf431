#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace contraflow::cli {

/// Answers to what people type by mistake. All throw ConfigError, where nothing else is said.

/// An argument that the command does not take.
[[noreturn]] void fail_unknown_argument(const CLI::App& command, const std::string& word);
/// A first word that is no command; empty = none.
[[noreturn]] void fail_unknown_command(const std::vector<std::string>& commands,
                                       const std::string& word);
/// Arguments that the parser refused, in its words.
[[noreturn]] void fail_arguments(const CLI::App& command, const std::string& complaint);

/// Refuses a file of rows where a run is expected, and the reverse; names the run that is near one
/// that does not exist (IoError).
void check_paths(const CLI::App& command);

/// `text`, in which an option has the name that the user gave it: "-n", "--draws" and not the first
/// of its names.
std::string in_typed_names(const CLI::App& command, const std::vector<std::string>& arguments,
                           const std::string& text);

/// "--name" of every option and the names of positionals.
std::vector<std::string> option_names_of(const CLI::App& command);

}  // namespace contraflow::cli
