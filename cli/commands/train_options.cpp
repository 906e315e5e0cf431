#include "cli/commands/train_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "cli/words.h"
#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/text.h"
#include "contraflow/core/toml.h"
#include "contraflow/core/unknown_name.h"
#include "contraflow/models/model_registry.h"
#include "contraflow/training/run_folder.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// ------------------------------------------------------------------------- options for one key

enum class KeyValue { kCount, kSeed, kPositive, kText, kTexts, kPairs };

/// An option that sets keys of the config: the usual way to say what is said most.
struct KeyOption {
  const char* name;
  std::vector<const char*>
      keys;  ///< The first must exist; of the others, those that the model has.
  KeyValue value;
  const char* help;
};

// --seed leaves data.seed alone: with it other rows would be held out, and two runs that differ by
// the seed could no longer be compared on the rows that neither has seen.
const std::vector<KeyOption>& key_options() {
  static const std::vector<KeyOption> options{
      {"--columns",
       {"data.columns"},
       KeyValue::kTexts,
       "Columns to model, with commas between them; default: all others. data.columns."},
      {"--exclude",
       {"data.exclude"},
       KeyValue::kTexts,
       "Columns to leave out, with commas between them. data.exclude."},
      {"--kinds",
       {"data.kinds"},
       KeyValue::kPairs,
       "Kinds of columns, as price=positive,n=integer; others are guessed. data.kinds."},
      {"--condition",
       {"data.condition"},
       KeyValue::kTexts,
       "Columns of numbers that the density is conditional on. data.condition."},
      {"--label",
       {"data.label"},
       KeyValue::kText,
       "Column of classes that the density is conditional on. data.label."},
      {"--weight",
       {"data.weight"},
       KeyValue::kText,
       "Column of row weights, or a file of them. data.weight."},
      {"--steps", {"training.steps"}, KeyValue::kCount, "Steps of the optimizer. training.steps."},
      {"--minutes",
       {"training.minutes"},
       KeyValue::kPositive,
       "Stop and save after so many minutes; alone: as many steps as fit. training.minutes."},
      {"--lr",
       {"training.adam.learning_rate"},
       KeyValue::kPositive,
       "Learning rate. training.adam.learning_rate."},
      {"--batch", {"training.batch_size"}, KeyValue::kCount, "Rows per step. training.batch_size."},
      {"--seed",
       {"training.seed", "model.seed"},
       KeyValue::kSeed,
       "Other initial weights and draws, on the same rows. training.seed and model.seed."}};
  return options;
}

CLI::Validator check_of(KeyValue value) {
  switch (value) {
    case KeyValue::kCount:
      return integer_range(1, kMostInteger);
    case KeyValue::kSeed:
      return integer_range(0, kMostInteger);
    case KeyValue::kPositive:
      return positive_number();
    case KeyValue::kText:
    case KeyValue::kTexts:
    case KeyValue::kPairs:
      break;
  }
  return {[](const std::string&) { return std::string(); }, ""};
}

// The text has passed check_of().
template <class T>
T number_from(const std::string& text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Json texts_from(const std::string& text) {
  Json out = Json::array();
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.size(), text.find(',', begin));
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

// {"price": "positive"} of price=positive.
Json pairs_from(const std::string& text) {
  Json out = Json::object();
  for (const Json& item : texts_from(text)) {
    const std::string pair = item;
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      fail<ConfigError>("train", "--kinds", "NAME=KIND, with commas between several",
                        "'" + shorten(pair) + "'", "For example --kinds price=positive.");
    }
    out[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return out;
}

Json json_from(KeyValue value, const std::string& text) {
  switch (value) {
    case KeyValue::kCount:
    case KeyValue::kSeed:
      return number_from<int64_t>(text);
    case KeyValue::kPositive:
      return number_from<double>(text);
    case KeyValue::kTexts:
      return texts_from(text);
    case KeyValue::kPairs:
      return pairs_from(text);
    case KeyValue::kText:
      break;
  }
  return text;
}

// What is no table on the way is left to those who read the config, who say so.
void set_key(Json& config, const std::string& key, Json value) {
  Json* node = &config;
  std::string_view rest = key;
  for (size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
    node = &(*node)[std::string(rest.substr(0, dot))];
    if (node->is_null()) *node = Json::object();
    if (!node->is_object()) return;
    rest.remove_prefix(dot + 1);
  }
  (*node)[std::string(rest)] = std::move(value);
}

bool given(const TrainArguments& a, const std::string& option) {
  const std::vector<KeyOption>& options = key_options();
  for (size_t k = 0; k < options.size(); ++k) {
    if (option == options[k].name) return !a.key_values[k].empty();
  }
  return false;
}

// ----------------------------------------------------------------------------------- conflicts

/// An option that was given, and a key that it sets.
struct Claim {
  std::string option, key;
};

std::vector<Claim> claims_of(const TrainArguments& a) {
  std::vector<Claim> out;
  const std::string data = a.input.empty() ? "--data" : "INPUT";
  if (!a.data.empty()) out.push_back({data, "data.name"});
  if (!a.model.empty()) out.push_back({"--model", "model.preset"});
  if (!a.device.empty()) out.push_back({"--device", "training.device"});
  if (a.threads > 0) out.push_back({"--threads", "training.threads"});
  if (!a.epochs.empty()) out.push_back({"--epochs", "training.steps"});
  const std::vector<KeyOption>& options = key_options();
  for (size_t k = 0; k < options.size(); ++k) {
    if (a.key_values[k].empty()) continue;
    for (const char* key : options[k].keys) out.push_back({options[k].name, key});
  }
  return out;
}

[[noreturn]] void fail_both(const std::string& option, const std::string& other) {
  fail<ConfigError>("train", option, "one of " + option + " and " + other, "both",
                    "Drop one of them.");
}

// Neither would be wrong, so neither is taken.
void check_conflicts(const TrainArguments& a) {
  const std::vector<Claim> claims = claims_of(a);
  for (const Claim& claim : claims) {
    for (const std::string& assignment : a.set) {
      const std::string key = assignment.substr(0, assignment.find('='));
      const bool same =
          claim.key == key || claim.key.starts_with(key + ".") || key.starts_with(claim.key + ".");
      if (same) fail_both(claim.option, "--set " + key);
    }
  }
  if (!a.epochs.empty() && given(a, "--steps")) fail_both("--epochs", "--steps");
}

// ---------------------------------------------------------------------------------- the config

Json read_config(const TrainArguments& a, const fs::path& folder) {
  constexpr int64_t kMostBytes = 1 << 20;
  if (!a.config.empty()) return parse_toml(read_file(a.config, kMostBytes), a.config);
  if (a.resume && a.data.empty() && a.model.empty()) {
    if (!RunFolder::holds_run(folder)) {
      fail<ConfigError>("train", folder.string(), "a folder with a run to resume", "none",
                        "Start the run without --resume.");
    }
    return parse_toml(RunFolder::read_config(folder), (folder / "config.toml").string());
  }
  if (a.data.empty()) {
    fail<ConfigError>("train", "INPUT", "a config or data (--data)", "none",
                      "For example: contraflow train checkerboard.");
  }
  return Json::object();
}

// A family of models has the place of a preset in the reader's mind.
void check_preset(const std::string& name) {
  for (const models::ModelEntry& entry : models::model_registry()) {
    if (entry.name != name) continue;
    std::vector<std::string> presets;
    for (const models::Preset& preset : entry.presets) presets.push_back(preset.name);
    if (std::find(presets.begin(), presets.end(), name) != presets.end()) return;
    const UnknownName its = unknown_name("", presets, "contraflow list families");
    fail<ConfigError>("train", "--model", "the name of a model", "'" + name + "', a family of them",
                      "Choose " + its.expected + ". " + its.remedy);
  }
}

std::string preset_in(const Json& config) {
  const std::vector<std::string> names = models::preset_names();
  const Json preset = config.value(Json::json_pointer("/model/preset"), Json());
  const bool known = preset.is_string() && std::find(names.begin(), names.end(),
                                                     preset.get<std::string>()) != names.end();
  return known ? preset.get<std::string>() : models::kDefaultPreset;
}

std::vector<std::string> known_keys(const std::string& preset) {
  std::vector<std::string> out;
  for (const OptionInfo& row : describe_run_config()) {
    if (!row.path.starts_with("model.")) out.push_back(row.path);
  }
  for (const OptionInfo& row : models::describe_model(preset)) out.push_back(row.path);
  return out;
}

void apply_key_options(const TrainArguments& a, const std::vector<std::string>& known,
                       Json& config) {
  const std::vector<KeyOption>& options = key_options();
  for (size_t k = 0; k < options.size(); ++k) {
    if (a.key_values[k].empty()) continue;
    for (const char* key : options[k].keys) {
      const bool exists = std::find(known.begin(), known.end(), key) != known.end();
      if (exists) set_key(config, key, json_from(options[k].value, a.key_values[k]));
    }
  }
}

// A budget alone leaves the number of steps open; the steps of --epochs are known only later.
void apply_limits(const TrainArguments& a, Json& config) {
  const bool has_steps = config.contains(Json::json_pointer("/training/steps"));
  if (!a.epochs.empty()) {
    set_key(config, "training.steps", kMostInteger);
  } else if (given(a, "--minutes") && !has_steps) {
    set_key(config, "training.steps", 0);
  }
}

}  // namespace

void add_train_options(CLI::App& app, TrainArguments& a) {
  app.add_option(
      "INPUT", a.input,
      "What to train on: a config (.toml), a file of rows, images, or built-in data such "
      "as moons or digits.");
  app.add_option(
      "--data", a.data,
      "Data over those of a config: a toy density, 'digits', a file of rows, or a file or "
      "folder of images.");
  app.add_option("--model", a.model, "Which model; see 'contraflow list models'.");
  a.key_values.resize(key_options().size());
  for (size_t k = 0; k < key_options().size(); ++k) {
    const KeyOption& option = key_options()[k];
    app.add_option(option.name, a.key_values[k], option.help)->check(check_of(option.value));
  }
  app.add_option("--epochs", a.epochs, "Passes over the training rows, instead of --steps.")
      ->check(positive_number());
  app.add_option("--set", a.set, "key=value over the config, such as model.blocks=6.")
      ->allow_extra_args(false);
  app.add_option("--out", a.out, "Run folder to make.");
  app.add_option("--device", a.device,
                 "Where to train: cpu, cuda or auto; the key training.device.")
      ->check(one_of({"auto", "cpu", "cuda"}));
  CLI::Option* resume = app.add_flag("--resume", a.resume, "Go on with the run in --out.");
  app.add_flag("--overwrite", a.overwrite, "Replace the run in --out.")->excludes(resume);
}

fs::path folder_of(const TrainArguments& a) {
  if (!a.out.empty()) return a.out;
  if (!a.config.empty()) return fs::path("runs") / fs::path(a.config).stem();
  if (!a.data.empty()) {
    const fs::path path(a.data);  // a folder may be named with a slash at its end
    const std::string data = (path.has_filename() ? path : path.parent_path()).stem().string();
    return fs::path("runs") / (data + "-" + (a.model.empty() ? models::kDefaultPreset : a.model));
  }
  if (a.resume) {
    fail<ConfigError>("train", "--out", "the folder of the run to resume", "none",
                      "For example: contraflow train --out runs/events --resume.");
  }
  fail<ConfigError>("train", "INPUT", "a config, data, or --out with --resume", "none",
                    "For example: contraflow train checkerboard. --data names data too.");
}

RunConfig resolve_config(const TrainArguments& a, const fs::path& folder) {
  check_conflicts(a);
  check_preset(a.model);
  Json config = read_config(a, folder);
  if (!a.data.empty()) set_key(config, "data.name", a.data);
  if (!a.model.empty()) set_key(config, "model.preset", a.model);
  for (const std::string& assignment : a.set) apply_assignment(config, assignment);
  const std::vector<std::string> known = known_keys(preset_in(config));
  apply_key_options(a, known, config);
  if (!a.device.empty()) set_key(config, "training.device", a.device);
  if (a.threads > 0) set_key(config, "training.threads", a.threads);
  apply_limits(a, config);
  const std::string where = a.config.empty() ? "train" : a.config;
  check_config_words(config, known, where);
  return run_config_from_json(config, where);
}

void apply_epochs(const TrainArguments& a, PreparedRun& run, const Console& console) {
  if (a.epochs.empty()) return;
  TrainingOptions& training = run.config.training;
  const std::optional<int64_t> rows = run.dataset.splits.train->size();
  if (!rows) {
    fail<ConfigError>("train", "--epochs", "data with a number of rows",
                      "the endless stream of '" + run.dataset.name + "'", "Use --steps.");
  }
  const int64_t batch = run.dataset.splits.train->batch_rows(training.batch_size);
  const double steps = std::ceil(number_from<double>(a.epochs) * static_cast<double>(*rows) /
                                 static_cast<double>(batch));
  if (steps > static_cast<double>(kMostInteger)) {
    fail<ConfigError>("train", "--epochs", "at most 2^53 steps", a.epochs, "Lower it.");
  }
  training.steps = static_cast<int64_t>(steps);
  check_options(training, "train: training");
  console.note(a.epochs + " epochs of " + format_count(*rows) + " training rows in batches of " +
               format_count(batch) + ": " + format_count(training.steps) + " steps");
}

std::vector<std::string> train_options_meant(std::string_view word) {
  const std::string bare(word.substr(std::min(word.size(), word.find_first_not_of('-'))));
  const std::vector<std::string> known = known_keys(models::kDefaultPreset);
  const bool whole = std::find(known.begin(), known.end(), bare) != known.end();
  std::vector<std::string> out;
  for (const std::string& key : whole ? std::vector{bare} : keys_meant(bare, known)) {
    const auto sets = [&](const KeyOption& option) { return option.keys.front() == key; };
    const auto found = std::find_if(key_options().begin(), key_options().end(), sets);
    out.push_back(found != key_options().end() ? found->name : "--set " + key + "=VALUE");
  }
  return out;
}

}  // namespace contraflow::cli
