#include "contraflow/data/data_registry.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/core/text.h"
#include "contraflow/core/unknown_name.h"
#include "contraflow/data/data_entries.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

std::vector<DataEntry> make_registry() {
  std::vector<DataEntry> out = detail::toy_entries();
  out.push_back(detail::digits_entry());
  out.push_back(detail::digits_images_entry());
  out.push_back(detail::csv_entry());
  out.push_back(detail::npy_entry());
  for (DataEntry& entry : detail::image_file_entries()) out.push_back(std::move(entry));
  return out;
}

// Neither built in nor an existing file.
[[noreturn]] void fail_unknown(const std::string& name) {
  namespace fs = std::filesystem;
  const fs::path path(name);
  std::error_code error;
  if (path.has_extension() || path.has_parent_path()) {
    std::vector<std::string> siblings;
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      siblings.push_back(entry.path().filename().string());
    }
    auto near = nearest_match(path.filename().string(), siblings);
    if (near) near = (path.parent_path() / *near).string();
    fail<IoError>("data", "name", "a file", in_quotes(name, 200) + ", which does not exist",
                  did_you_mean(near, "Check the path; relative ones count from " +
                                         fs::current_path(error).string() + "."));
  }
  const UnknownName unknown = unknown_name(name, builtin_data_names(), "contraflow list data");
  fail<ConfigError>("data", "name", unknown.expected + ", or the path of a file, .csv or .npy",
                    in_quotes(name), unknown.remedy);
}

bool is_common(const std::string& key) {
  static const std::vector<std::string> keys{
      "name", "validation_fraction", "test_fraction", "validation_rows", "test_rows", "seed"};
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// A folder that no entry knows.
[[noreturn]] void fail_folder(const std::string& name) {
  std::error_code ignored;
  fail<IoError>(
      "data", in_quotes(name, 200),
      "a folder of .png files or of folders of them, or with the files of MNIST, CIFAR "
      "or ImageNet32",
      std::filesystem::is_empty(name, ignored) ? "an empty folder" : "a folder of other files",
      "'contraflow list data' says which names they have.");
}

}  // namespace

void detail::check_taken(const std::string& kind, const std::vector<std::string>& keys,
                         const DataOptions& options) {
  const nlohmann::ordered_json given = options_to_json(options);
  const nlohmann::ordered_json defaults = options_to_json(DataOptions{});
  for (const auto& [key, value] : given.items()) {
    const bool takes = std::find(keys.begin(), keys.end(), key) != keys.end();
    if (takes || is_common(key) || value == defaults[key]) continue;
    fail<ConfigError>("data", key, "nothing, for the " + kind + " " + in_quotes(options.name),
                      shorten(json_text(value)),
                      "Remove it; what can be chosen is " + join(keys, ", ") + ".");
  }
}

const std::vector<DataEntry>& data_registry() {
  static const std::vector<DataEntry> registry = make_registry();
  return registry;
}

const DataEntry& find_data(const std::string& name) {
  const std::vector<DataEntry>& registry = data_registry();
  const auto found = std::find_if(registry.begin(), registry.end(),
                                  [&](const DataEntry& entry) { return entry.takes(name); });
  std::error_code error;
  const bool exists =
      found != registry.end() && (found->is_builtin() || std::filesystem::exists(name, error));
  if (exists) return *found;
  if (std::filesystem::is_directory(name, error)) fail_folder(name);
  if (std::filesystem::exists(name, error)) check_row_file(name);
  fail_unknown(name);
}

std::vector<std::string> builtin_data_names() {
  std::vector<std::string> names;
  for (const DataEntry& entry : data_registry()) {
    if (entry.is_builtin()) names.push_back(entry.name);
  }
  return names;
}

Dataset open_data(const DataOptions& options, at::ScalarType dtype, const KnownData* known) {
  check_options(options, "data");
  const DataEntry& entry = find_data(options.name);
  detail::check_taken(entry.kind, entry.options, options);
  return entry.open(options, dtype, known);
}

}  // namespace contraflow::data
