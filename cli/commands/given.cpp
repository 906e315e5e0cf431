#include "cli/commands/given.h"

#include <charconv>
#include <cmath>
#include <map>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/given.h"

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
    values[word.substr(0, equals)] = number_of(word, number);
  }
  return data::condition_of(columns, values, kWhere);
}

}  // namespace contraflow::cli
