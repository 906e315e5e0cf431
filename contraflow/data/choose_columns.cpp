#include "contraflow/data/choose_columns.h"

#include <algorithm>

#include "contraflow/core/error.h"
#include "contraflow/data/message.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

Columns choose_columns(const std::vector<std::string>& names, const DataOptions& options,
                       const std::string& only_given) {
  const std::string& source = options.name;
  std::vector<bool> taken(names.size(), false);
  const auto take = [&](const std::vector<std::string>& wanted) {
    std::vector<std::string> found;
    if (wanted.empty()) return found;
    for (const int64_t c : find_columns(names, wanted, source)) {
      if (taken[static_cast<size_t>(c)]) {
        fail<ConfigError>("data", source, "one meaning for each column",
                          in_quotes(names[static_cast<size_t>(c)]) + " with two",
                          "Name it in one of columns, exclude, condition, label and weight.");
      }
      taken[static_cast<size_t>(c)] = true;
      found.push_back(names[static_cast<size_t>(c)]);
    }
    return found;
  };
  Columns out;
  out.condition = take(options.condition);
  if (!options.label.empty()) out.label = take({options.label})[0];
  if (!options.weight.empty() && !is_row_file(options.weight)) {
    out.weight = take({options.weight})[0];
  }
  for (const std::string& name : take(options.exclude)) {
    out.left_out.push_back({name, "data.exclude names it"});
  }
  for (const std::string& name : {options.group, options.time}) {
    if (name.empty()) continue;
    const auto c = static_cast<size_t>(find_columns(names, {name}, source).front());
    if (taken[c]) continue;  // by the condition, which may split the rows as well
    taken[c] = true;
    out.left_out.push_back({names[c], "it splits the rows"});
  }
  out.names = take(options.columns);
  for (const std::string& name : out.names) {
    if (only_given.empty() || name != only_given) continue;
    fail<ConfigError>("data", "columns", "columns with a density", in_quotes(name) + ", a class",
                      "Remove it; label = " + in_quotes(name) + " conditions on it.");
  }
  if (!options.columns.empty()) return out;
  for (size_t c = 0; c < names.size(); ++c) {
    const bool hidden = !only_given.empty() && names[c] == only_given;
    if (!taken[c] && !hidden) out.names.push_back(names[c]);
  }
  if (out.names.empty()) {
    fail<ConfigError>("data", source, "a column to model", "none that is left",
                      "Remove one from condition, label or weight.");
  }
  return out;
}

}  // namespace contraflow::data
