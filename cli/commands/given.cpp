#include "cli/commands/given.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/core/number_text.h"
#include "contraflow/core/text.h"
#include "contraflow/data/given.h"

namespace contraflow::cli {
namespace {

constexpr const char* kWhere = "--given";

// The number of a value; of a class that has a name also by it.
double number_of(const std::string& word, const std::string& text, const data::Columns& columns) {
  if (word.substr(0, word.find('=')) == columns.label) {
    const std::vector<std::string> classes = columns.class_names();
    const auto found = std::find(classes.begin(), classes.end(), text);
    if (found != classes.end()) return static_cast<double>(found - classes.begin());
    if (!classes.empty()) {
      const auto near = nearest_match(text, classes);
      fail<ConfigError>(kWhere, shorten(word), "one of " + shorten(join(classes, ", "), 200),
                        "'" + shorten(text) + "'",
                        near ? "Did you mean '" + *near + "'?" : "Name a class of the training.");
    }
  }
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value))
    return value;
  fail<ConfigError>(kWhere, shorten(word), "NAME=NUMBER", "'" + shorten(text) + "'",
                    "For example --given label=3.");
}

void warn_of_empty_class(const std::map<std::string, double>& values,
                         const data::Columns& columns) {
  const auto given = values.find(columns.label);
  if (given == values.end()) return;
  const auto is_given = [&](int64_t k) { return static_cast<double>(k) == given->second; };
  if (std::none_of(columns.empty_classes.begin(), columns.empty_classes.end(), is_given)) return;
  log(LogLevel::kWarning, "the training's data had no row of class " + shortest(given->second) +
                              " of " + columns.label + ": what the model does there is not known");
}

}  // namespace

void add_given_option(CLI::App& app, std::vector<std::string>& given) {
  app.add_option("--given", given, "NAME=VALUE of a column that the model is conditioned on.")
      ->allow_extra_args(false);
}

at::Tensor given_condition(const std::vector<std::string>& given, const data::Columns& columns) {
  std::map<std::string, double> values;
  for (const std::string& word : given) {
    const size_t equals = word.find('=');
    const std::string number = equals == std::string::npos ? "" : word.substr(equals + 1);
    values[word.substr(0, equals)] = number_of(word, number, columns);
  }
  warn_of_empty_class(values, columns);
  return data::condition_of(columns, values, kWhere);
}

}  // namespace contraflow::cli
