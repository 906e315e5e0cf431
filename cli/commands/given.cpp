#include "cli/commands/given.h"

#include <ATen/ATen.h>

#include <charconv>
#include <map>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::cli {
namespace {

constexpr const char* kWhere = "--given";

double number_of(const std::string& word, const std::string& text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value))
    return value;
  fail<ConfigError>(kWhere, shorten(word), "NAME=NUMBER", "'" + shorten(text) + "'",
                    "For example --given label=3.");
}

std::map<std::string, double> read(const std::vector<std::string>& given,
                                   const std::vector<std::string>& names) {
  std::map<std::string, double> values;
  for (const std::string& word : given) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const auto near = nearest_match(name, names);
      fail<ConfigError>(
          kWhere, shorten(name),
          names.empty() ? "nothing, the model has no condition" : "one of " + join(names, ", "),
          "another name", near ? "Did you mean '" + *near + "'?" : "Correct or drop it.");
    }
    values[name] = number_of(word, equals == std::string::npos ? "" : word.substr(equals + 1));
  }
  for (const std::string& name : names) {
    if (values.contains(name)) continue;
    fail<ConfigError>(kWhere, name, "a value of every column the model is conditioned on", "none",
                      "Add --given " + name + "=VALUE.");
  }
  return values;
}

}  // namespace

void add_given_option(CLI::App& app, std::vector<std::string>& given) {
  app.add_option("--given", given, "NAME=VALUE of a column that the model is conditioned on.")
      ->allow_extra_args(false);
}

at::Tensor given_condition(const std::vector<std::string>& given, const data::Columns& columns) {
  std::vector<std::string> names = columns.condition;
  if (!columns.label.empty()) names.push_back(columns.label);
  const std::map<std::string, double> values = read(given, names);
  if (names.empty()) return {};
  data::Columns given_only = columns;
  given_only.names.clear();
  std::vector<double> row;
  for (const std::string& name : names) row.push_back(values.at(name));
  const at::Tensor rows = at::tensor(row, at::kDouble).unsqueeze(0);
  return given_only.to_batch(rows, at::kDouble, kWhere, 0, /*with_weight=*/false).condition;
}

}  // namespace contraflow::cli
