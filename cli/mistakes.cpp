#include "cli/mistakes.h"

#include <algorithm>
#include <array>
#include <cctype>
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
  constexpr std::array kOthers{std::pair{"--output", "--out"},
                               std::pair{"--gpu", "--device cuda"},
                               std::pair{"--cuda", "--device cuda"},
                               std::pair{"--num-samples", "--count"},
                               std::pair{"--samples", "--count"},
                               std::pair{"--n", "--count"},
                               std::pair{"--label", "--given NAME=VALUE"},
                               std::pair{"--condition", "--given NAME=VALUE"},
                               std::pair{"--run", "RUN"},
                               std::pair{"--model", "RUN"},
                               std::pair{"--checkpoint", "RUN"},
                               std::pair{"--csv", "INPUT"},
                               std::pair{"--file", "INPUT"},
                               std::pair{"--input", "INPUT"},
                               std::pair{"--data", "INPUT"}};
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

std::string last_value_of(const CLI::App& command, const std::string& option) {
  const CLI::Option* found = command.get_option_no_throw(option);
  return found == nullptr || found->results().empty() ? "" : found->results().back();
}

std::string all_values_of(const CLI::App& command, const std::string& option) {
  const CLI::Option* found = command.get_option_no_throw(option);
  return found == nullptr ? "" : join(found->results(), ",");
}

// evaluate takes the held-out rows of the training's data only.
std::string hint_for_rows(const std::string& file) {
  return "It takes the training's own data; for other rows: contraflow score RUN " + shorten(file) +
         " -o scores.csv.";
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

// Runs in a folder that is none itself, such as runs/.
std::vector<std::string> runs_in(const fs::path& folder) {
  constexpr size_t kMost = 3;
  std::error_code ignored;
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (is_run(entry.path())) out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  if (out.size() > kMost) out.resize(kMost);
  return out;
}

void check_run(const CLI::App& command, const std::string& option) {
  const fs::path path = value_of(command, option);
  const std::string expected = "a run folder or a checkpoint";
  if (path.empty() || is_run(path)) return;
  if (is_folder(path.string())) {
    const std::vector<std::string> inside = runs_in(path);
    if (inside.empty()) return;  // who reads it says what is missing there
    fail<ConfigError>(full_name(command), option, expected, "a folder of runs, " + path.string(),
                      did_you_mean(inside));
  }
  if (data::is_row_file(path)) {
    fail<ConfigError>(full_name(command), option, expected,
                      "a file of rows, " + shorten(path.string()),
                      has_option(command, "INPUT") ? "The run comes first. " + example_of(command)
                                                   : example_of(command));
  }
  if (path.extension() == ".toml") {
    fail<ConfigError>(full_name(command), option, expected, "a config, " + shorten(path.string()),
                      "Name the folder of the run; 'contraflow train' makes it from a config.");
  }
  std::error_code ignored;
  if (fs::exists(path, ignored)) {
    fail<ConfigError>(full_name(command), option, expected,
                      "a file that is neither, " + shorten(path.string()),
                      is_run(path.parent_path()) ? did_you_mean({path.parent_path().string()})
                                                 : example_of(command));
  }
  if (const auto near = near_run(path)) {
    fail<IoError>(full_name(command), option, expected, "no such path, " + shorten(path.string()),
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

std::string hint_for_option(const CLI::App& command, const std::string& option) {
  const std::vector<std::string> meant = options_meant(command, option);
  if (meant.empty()) {
    if (command.get_name() == "evaluate" && option == "--data") return hint_for_rows("FILE");
    return "Run '" + full_name(command) + " --help'.";
  }
  if (meant.front() != "RUN" && meant.front() != "INPUT") return did_you_mean(meant);
  return "It takes no option of its own. " + example_of(command);
}

// A word that no place is left for: what was it meant to be?
std::string hint_for_word(const CLI::App& command, const std::string& word) {
  const std::string name = command.get_name();
  const bool is_rows = data::is_row_file(word);
  const size_t equals = word.find('=');
  if (has_option(command, "--set") && equals != std::string::npos)
    return "Did you mean '--set " + shorten(word) + "'?";
  const std::string set = last_value_of(command, "--set");
  if (!set.empty() && set.find('=') == std::string::npos)
    return "Did you mean '--set " + shorten(set) + "=" + shorten(word) + "'?";
  if (has_option(command, "--out") && is_rows && value_of(command, "--out").empty())
    if (name != "train") return "Did you mean '--out " + shorten(word) + "'?";
  const bool is_number = !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
  if (is_number && has_option(command, "--count"))
    return "Did you mean '--count " + shorten(word) + "'?";
  if (name == "evaluate" && is_rows) return hint_for_rows(word);
  if (name == "train" && is_rows)
    return "A run has one table: join the files. Rows to score later go to 'contraflow score'.";
  for (const char* list : {"--columns", "--exclude", "--condition", "--kinds", "--keep"}) {
    const std::string before = all_values_of(command, list);
    if (!before.empty() && !is_rows)
      return std::string("Names have commas and no spaces between them: ") + list + " " +
             shorten(before + "," + word) + ".";
  }
  return "Run '" + full_name(command) + " --help'.";
}

// What other programs call a command, and what stands where a command should.
std::string command_meant(const std::string& word, const std::string& bare) {
  struct Other {
    const char* word;
    const char* ours;
  };
  constexpr std::array kOthers{Other{"fit", "contraflow train"},
                               Other{"learn", "contraflow train"},
                               Other{"resume", "contraflow train --out RUN --resume"},
                               Other{"continue", "contraflow train --out RUN --resume"},
                               Other{"eval", "contraflow evaluate"},
                               Other{"test", "contraflow evaluate"},
                               Other{"validate", "contraflow evaluate"},
                               Other{"predict", "contraflow score"},
                               Other{"log_prob", "contraflow score"},
                               Other{"density", "contraflow score"},
                               Other{"generate", "contraflow sample"},
                               Other{"draw", "contraflow sample"},
                               Other{"verify", "contraflow certify"},
                               Other{"check", "contraflow certify"},
                               Other{"prove", "contraflow certify"},
                               Other{"show", "contraflow info"},
                               Other{"describe", "contraflow info"},
                               Other{"summary", "contraflow info"},
                               Other{"models", "contraflow list models"},
                               Other{"version", "contraflow --version"}};
  for (const Other& other : kOthers) {
    if (bare == other.word) return other.ours;
  }
  std::error_code ignored;
  if (!word.empty() && is_run(word)) return "contraflow info " + shorten(word);
  const bool is_file = fs::is_regular_file(word, ignored);
  if (is_file || data::is_row_file(word) || fs::path(word).extension() == ".toml")
    return "contraflow train " + shorten(word);
  return "";
}

// "--draws 5", "--draws=5", "-n 5", "-n5".
bool is_typed(const std::string& name, const std::vector<std::string>& arguments) {
  const bool is_long = name.starts_with("--");
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& word) {
    if (!word.starts_with(name)) return false;
    return !is_long || word.size() == name.size() || word[name.size()] == '=';
  });
}

// Whole words only: --out is not the start of --outside.
std::string with_word(std::string text, const std::string& word, const std::string& by) {
  const auto goes_on = [&](size_t at) {
    return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 ||
                                text[at] == '-' || text[at] == '_');
  };
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if (goes_on(at + word.size()) || (at > 0 && goes_on(at - 1))) continue;
    text.replace(at, word.size(), by);
    at += by.size() - 1;
  }
  return text;
}

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  return names;
}

}  // namespace

std::string in_typed_names(const CLI::App& command, const std::vector<std::string>& arguments,
                           const std::string& text) {
  std::string out = text;
  for (const CLI::Option* option : command.get_options()) {
    const std::string first = option->get_name();
    if (is_typed(first, arguments)) continue;
    for (const std::string& name : names_of(*option)) {
      if (name != first && is_typed(name, arguments)) out = with_word(out, first, name);
    }
  }
  return out;
}

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
  fail<ConfigError>(full_name(command), shorten(word),
                    is_option ? "a known option" : "no further argument", "an unknown one",
                    is_option ? hint_for_option(command, option) : hint_for_word(command, word));
}

void fail_unknown_command(const std::vector<std::string>& commands, const std::string& word) {
  const std::string bare = word.substr(std::min(word.size(), word.find_first_not_of('-')));
  std::string hint = "Run 'contraflow --help'.";
  if (const std::string meant = command_meant(word, bare); !meant.empty()) {
    hint = "Did you mean '" + meant + "'?";
  } else if (const auto near = nearest_match(bare, commands)) {
    hint = did_you_mean({*near});
  }
  fail<ConfigError>("contraflow", "command", "one of " + join(commands, ", "),
                    word.empty() ? "none" : "'" + shorten(word) + "'", hint);
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
