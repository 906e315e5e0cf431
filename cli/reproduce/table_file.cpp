#include "cli/reproduce/table_file.h"

#include <algorithm>
#include <set>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/text.h"
#include "contraflow/core/toml.h"
#include "contraflow/core/unknown_name.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kFile = "table.toml";
constexpr int64_t kMostTableBytes = 1 << 20;

Json read_toml(const fs::path& path) {
  return parse_toml(read_file(path, kMostTableBytes), path.string());
}

bool is_folder_name(const std::string& name) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
  };
  return !name.starts_with('.') && std::all_of(name.begin(), name.end(), allowed);
}

// A key that is absent is never read, so its constraint says nothing.
void require_given(const char* key, bool is_absent) {
  if (!is_absent) return;
  fail<ConfigError>("table", key, "a value", "none", "Every table and every row has one.");
}

[[noreturn]] void fail_unknown_table(const std::string& name, const fs::path& configs) {
  const std::vector<std::string> names = table_names(configs);
  if (names.empty()) {
    fail<ConfigError>("reproduce", "--configs", "a folder of tables", "'" + configs.string() + "'",
                      "Run from the folder of the repository, or name its configs/papers.");
  }
  const UnknownName unknown = unknown_name(name, names, "contraflow reproduce");
  fail<ConfigError>("reproduce", "TABLE", unknown.expected, "'" + shorten(name) + "'",
                    unknown.remedy);
}

// A path only where a name cannot be meant, so that a stray folder never hides a table.
fs::path file_of(const std::string& name, const fs::path& configs) {
  if (const fs::path file = configs / name / kFile; fs::exists(file)) return file;
  const fs::path path(name);
  if (!path.has_parent_path() && path.extension() != ".toml") fail_unknown_table(name, configs);
  return fs::is_directory(path) ? path / kFile : path;
}

}  // namespace

void validate(const RowOptions& row) {
  require_given("rows.name", row.name.empty());
  require_given("rows.model", row.model.empty());
  require_given("rows.config", row.config.empty());
  if (is_folder_name(row.name)) return;
  fail<ConfigError>("table", "rows.name", "letters, digits, '-', '_' and '.'",
                    "'" + shorten(row.name) + "'", "It becomes the name of a folder.");
}

void validate(const TableOptions& options) {
  require_given("title", options.title.empty());
  require_given("rows", options.rows.empty());
  std::set<std::string> seen;
  for (const RowOptions& row : options.rows) {
    if (!seen.insert(row.name).second) {
      fail<ConfigError>("table", "rows.name", "names that differ", "'" + row.name + "' twice",
                        "Rename one of the rows.");
    }
  }
}

Table load_table(const std::string& name, const fs::path& configs) {
  const fs::path file = file_of(name, configs);
  const auto options = options_from_json<TableOptions>(read_toml(file), file.string());
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const std::string own = fs::absolute(folder).lexically_normal().filename().string();
  return {own, folder, options};
}

std::vector<std::string> table_names(const fs::path& configs) {
  std::vector<std::string> names;
  std::error_code error;  // a folder that is not there has no tables
  for (const auto& entry : fs::directory_iterator(configs, error)) {
    if (fs::exists(entry.path() / kFile)) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<RowOptions> select_rows(const Table& table, const std::vector<std::string>& names) {
  if (names.empty()) {
    std::vector<RowOptions> out = table.options.rows;
    std::erase_if(out, [](const RowOptions& row) { return row.on_request; });
    return out;
  }
  std::vector<std::string> known;
  for (const RowOptions& row : table.options.rows) known.push_back(row.name);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto near = nearest_match(name, known);
    fail<ConfigError>("reproduce", "--rows", "rows of " + table.name + ": " + join(known, ", "),
                      "'" + shorten(name) + "'",
                      near ? "Did you mean '" + *near + "'?" : "Choose from the list.");
  }
  std::vector<RowOptions> out;
  for (const RowOptions& row : table.options.rows) {
    if (std::find(names.begin(), names.end(), row.name) != names.end()) out.push_back(row);
  }
  return out;
}

Json row_config(const Table& table, const RowOptions& row, bool quick) {
  Json config = read_toml(table.folder / row.config);
  for (const std::string& assignment : row.set) apply_assignment(config, assignment);
  if (!quick) return config;
  for (const std::string& assignment : table.options.quick.set)
    apply_assignment(config, assignment);
  return config;
}

}  // namespace contraflow::cli
