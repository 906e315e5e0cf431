#include "contraflow/data/given.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::data {
namespace {

void check_given(const std::vector<std::string>& names, const std::map<std::string, double>& values,
                 std::string_view where) {
  for (const auto& [name, value] : values) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const auto near = nearest_match(name, names);
    fail<ConfigError>(
        where, shorten(name),
        names.empty() ? "nothing, the model has no condition" : "one of " + join(names, ", "),
        "another name", near ? "Did you mean '" + *near + "'?" : "Correct or drop it.");
  }
  for (const std::string& name : names) {
    if (values.contains(name)) continue;
    fail<ConfigError>(where, name, "a value of every column the model is conditioned on", "none",
                      "Add " + std::string(where) + " " + name + "=VALUE.");
  }
}

}  // namespace

at::Tensor condition_of(const Columns& columns, const std::map<std::string, double>& values,
                        std::string_view where) {
  std::vector<std::string> names = columns.condition;
  if (!columns.label.empty()) names.push_back(columns.label);
  check_given(names, values, where);
  if (names.empty()) return {};
  std::vector<double> row;
  for (const std::string& name : names) row.push_back(values.at(name));
  Columns given = columns;
  given.names.clear();
  const at::Tensor rows = at::tensor(row, at::kDouble).unsqueeze(0);
  return given.to_batch(rows, at::kDouble, std::string(where), 0, /*with_weight=*/false).condition;
}

}  // namespace contraflow::data
