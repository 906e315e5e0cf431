// What INPUT of 'contraflow train' is: a config, data, or a mistake with a name.
#include <algorithm>
#include <filesystem>

#include "cli/commands/train_options.h"
#include "cli/words.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/data_registry.h"
#include "contraflow/models/model_registry.h"
#include "contraflow/training/run_folder.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;

bool is_data(const std::string& name) {
  const auto& registry = data::data_registry();
  return std::any_of(registry.begin(), registry.end(),
                     [&](const data::DataEntry& entry) { return entry.takes(name); });
}

[[noreturn]] void fail_run(const std::string& path) {
  fail<ConfigError>("train", "INPUT", "a config or data", "a run folder, " + shorten(path),
                    "Go on with it: contraflow train --out " + path + " --resume.");
}

[[noreturn]] void fail_folder(const std::string& path) {
  fail<ConfigError>("train", "INPUT", "a config or data", "a folder, " + shorten(path),
                    "Name a .toml file, a file of rows, a folder of images (see 'contraflow list "
                    "files'), or built-in data.");
}

// Tables and arrays of other programs are no TOML with a syntax error.
void check_config_name(const fs::path& path) {
  const std::string end = path.extension().string();
  if (end == ".toml" || end.empty()) return;
  for (const char* other : {".xlsx", ".xls", ".ods", ".parquet", ".feather", ".h5", ".hdf5", ".pkl",
                            ".json", ".arff", ".pt", ".mat", ".sqlite", ".db", ".zip"}) {
    if (end != other) continue;
    fail<ConfigError>("train", "INPUT", "a config (.toml), a file of rows, or built-in data",
                      "a file in another format, " + shorten(path.string()),
                      "Save the table as .csv, .tsv, .npy or .npz.");
  }
}

// Names in the folder of the path, and where it could be a name: built-in data.
[[noreturn]] void fail_unknown_input(const std::string& input) {
  const fs::path path(input);
  const std::string expected = "a config (.toml), a file of rows, or built-in data";
  const std::vector<std::string> presets = models::preset_names();
  if (std::find(presets.begin(), presets.end(), input) != presets.end()) {
    fail<ConfigError>("train", "INPUT", expected, "'" + input + "', a model",
                      "Name data too: contraflow train moons --model " + input + ".");
  }
  std::vector<std::string> candidates;
  if (!path.has_parent_path()) candidates = data::builtin_data_names();
  std::error_code ignored;  // a folder that cannot be read has nothing to suggest
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    candidates.push_back(
        (path.has_parent_path() ? entry.path() : entry.path().filename()).string());
  }
  const auto near = nearest_match(input, candidates);
  fail<IoError>("train", "INPUT", expected, "'" + shorten(input) + "', which does not exist",
                near ? did_you_mean({*near})
                     : "Correct the path; 'contraflow list data' has what is built in.");
}

}  // namespace

void sort_input(TrainArguments& a) {
  const std::string& input = a.input;
  if (input.empty()) return;
  std::error_code ignored;
  if (RunFolder::holds_run(input)) fail_run(input);  // with pictures in it, it looks like images
  if (is_data(input)) {
    if (!a.data.empty()) {
      fail<ConfigError>("train", "INPUT", "one of INPUT and --data", "both", "Drop one of them.");
    }
    a.data = input;
  } else if (fs::is_directory(input, ignored)) {
    fail_folder(input);
  } else if (fs::path(input).extension() == ".safetensors") {
    fail<ConfigError>("train", "INPUT", "a config or data", "a checkpoint, " + shorten(input),
                      "Go on with its run: contraflow train --out FOLDER --resume.");
  } else if (fs::exists(input, ignored)) {
    check_config_name(input);
    a.config = input;
  } else {
    fail_unknown_input(input);
  }
}

}  // namespace contraflow::cli
