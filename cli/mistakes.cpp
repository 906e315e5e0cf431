#include "cli/mistakes.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "cli/commands/train_options.h"
#include "cli/words.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/rows.h"
#include "contraflow/training/run_folder.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;

std::string full_name(const CLI::App& command) { return "contraflow " + command.get_name(); }

bool has_option(const CLI::App& command, const std::string& name) {
  return command.get_option_no_throw(name) != nullptr;
}

// The first example of the command's help, without the remark beside it.
std::string example_of(const CLI::App& command) {
  const std::string help = command.get_footer(), start = "  " + full_name(command);
  const size_t begin = help.find(start);
  if (begin == std::string::npos) return "Run '" + full_name(command) + " --help'.";
  const std::string line = help.substr(begin + 2, help.find('\n', begin) - begin - 2);
  return "For example: " + line.substr(0, line.find("   ")) + ".";
}

// Options of other programs, where the command has what they mean.
std::vector<std::string> options_meant(const CLI::App& command, const std::string& word) {
  if (command.get_name() == "train") {
    const std::vector<std::string> meant = train_options_meant(word);
    if (!meant.empty()) return meant;
  }
  constexpr std::array kOthers{std::pair{"--output", "--out"}, std::pair{"--gpu", "--device cuda"},
                               std::pair{"--cuda", "--device cuda"},
                               std::pair{"--num-samples", "--count"}};
  for (const auto& [other, ours] : kOthers) {
    const std::string option = std::string(ours).substr(0, std::string(ours).find(' '));
    if (word == other && has_option(command, option)) return {ours};
  }
  if (const auto near = nearest_match(word, option_names_of(command))) return {*near};
  return {};
}

std::string value_of(const CLI::App& command, const std::string& option) {
  const CLI::Option* found = command.get_option_no_throw(option);
  return found == nullptr || found->results().empty() ? "" : found->results().front();
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_run(const fs::path& path) {
  return path.extension() == ".safetensors" ||
         (is_folder(path.string()) && RunFolder::holds_run(path));
}

// `checkerbord` and `runs/checkerbord` are both near runs/checkerboard.
std::optional<std::string> near_run(const fs::path& path) {
  std::error_code ignored;  // a folder that cannot be read has nothing to suggest
  std::vector<std::string> runs;
  for (const fs::path& folder : {path.parent_path(), fs::path("runs")}) {
    if (is_run(folder / path.filename())) return (folder / path.filename()).string();
    for (const auto& entry :
         fs::directory_iterator(folder.empty() ? fs::path(".") : folder, ignored)) {
      if (is_run(entry.path())) runs.push_back((folder / entry.path().filename()).string());
    }
  }
  const auto near = nearest_match(path.string(), runs);
  return near ? near : nearest_match((fs::path("runs") / path).string(), runs);
}

void check_run(const CLI::App& command, const std::string& option) {
  const std::string path = value_of(command, option);
  if (path.empty() || is_folder(path)) return;
  const std::string expected = "a run folder or a checkpoint";
  if (data::is_row_file(path)) {
    fail<ConfigError>(full_name(command), option, expected, "a file of rows, " + shorten(path),
                      has_option(command, "INPUT") ? "The run comes first. " + example_of(command)
                                                   : example_of(command));
  }
  if (fs::path(path).extension() == ".toml") {
    fail<ConfigError>(full_name(command), option, expected, "a config, " + shorten(path),
                      "Name the folder of the run; 'contraflow train' makes it from a config.");
  }
  std::error_code ignored;
  if (fs::exists(path, ignored)) return;
  if (const auto near = near_run(path)) {
    fail<IoError>(full_name(command), option, expected, "no such path, " + shorten(path),
                  did_you_mean({*near}));
  }
}

void check_rows(const CLI::App& command, const std::string& option) {
  const std::string path = value_of(command, option);
  if (!is_run(path)) return;
  fail<ConfigError>(full_name(command), option, "a file of rows",
                    (is_folder(path) ? "a run folder, " : "a checkpoint, ") + shorten(path),
                    example_of(command));
}

}  // namespace

std::vector<std::string> option_names_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    if (option->get_positional()) names.push_back(option->get_name());
  }
  return names;
}

void fail_unknown_argument(const CLI::App& command, const std::string& word) {
  const std::string option = word.substr(0, word.find('='));
  const bool is_option = option.starts_with("-");
  const auto meant = is_option ? options_meant(command, option) : std::vector<std::string>{};
  fail<ConfigError>(
      full_name(command), shorten(word), is_option ? "a known option" : "no further argument",
      "an unknown one",
      meant.empty() ? "Run '" + full_name(command) + " --help'." : did_you_mean(meant));
}

void fail_unknown_command(const std::vector<std::string>& commands, const std::string& word) {
  const std::string bare = word.substr(std::min(word.size(), word.find_first_not_of('-')));
  const auto near = nearest_match(bare, commands);
  fail<ConfigError>("contraflow", "command", "one of " + join(commands, ", "),
                    word.empty() ? "none" : "'" + shorten(word) + "'",
                    near ? did_you_mean({*near}) : "Run 'contraflow --help'.");
}

void fail_arguments(const CLI::App& command, const std::string& complaint) {
  fail<ConfigError>(full_name(command), "command line",
                    "arguments as in '" + full_name(command) + " --help'",
                    "'" + shorten(complaint, 200) + "'", example_of(command));
}

void check_paths(const CLI::App& command) {
  const bool trains = command.get_name() == "train";
  for (const char* option : {"RUN", "A", "B"}) check_run(command, option);
  if (!trains) check_rows(command, "INPUT");
  check_rows(command, "--data");
}

}  // namespace contraflow::cli
