#include "contraflow/data/domain.h"

#include <ATen/ATen.h>

#include <vector>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

// With the name of a column that has one.
std::string place_text(const BadValue& bad, const Columns& columns) {
  const auto column = static_cast<size_t>(bad.place.empty() ? 0 : bad.place.front());
  if (bad.place.size() != 1 || column >= columns.names.size()) return bad.place_text();
  return "column '" + columns.names[column] + "'";
}

void require_none(const at::Tensor& x, const at::Tensor& bad, const Columns& columns,
                  const std::string& source, int64_t first_row, const std::string& expected) {
  const auto found = first_bad(x, bad);
  if (!found) return;
  fail<DomainError>("data",
                    source + ", row " + std::to_string(first_row + found->row) + ", " +
                        place_text(*found, columns),
                    expected, c10::str(found->value),
                    "Correct or remove the row; the model has no density there.");
}

// Rows, columns and what each of them must be.
struct Rule {
  at::Tensor bad;  // of the shape of x
  std::string expected;
};

std::vector<Rule> rules_of(const at::Tensor& x, const Columns& columns) {
  std::vector<Rule> out;
  if (columns.levels > 0) {
    out.push_back({x.ne(x.round()).logical_or(x.lt(0)).logical_or(x.ge(columns.levels)),
                   "an integer from 0 to " + std::to_string(columns.levels - 1)});
  }
  if (columns.bounds.size() == 2) {
    out.push_back({x.lt(columns.bounds[0]).logical_or(x.gt(columns.bounds[1])),
                   c10::str("a value in [", columns.bounds[0], ", ", columns.bounds[1], "]")});
  }
  for (size_t c = 0; c < columns.infos.size(); ++c) {
    const ColumnInfo& info = columns.infos[c];
    if (!info.whole() && !info.low() && !info.high()) continue;
    const auto place = static_cast<int64_t>(c);
    at::Tensor bad = at::zeros_like(x, at::kBool);
    bad.select(1, place).copy_(are_impossible(info, x.select(1, place).to(at::kDouble)));
    out.push_back({bad, possible_values(info)});
  }
  return out;
}

}  // namespace

void check_domain(const at::Tensor& x, const Columns& columns, const std::string& source,
                  int64_t first_row) {
  for (const Rule& rule : rules_of(x, columns)) {
    require_none(x, rule.bad, columns, source, first_row, rule.expected);
  }
}

at::Tensor outside_domain(const at::Tensor& x, const Columns& columns) {
  at::Tensor out = at::zeros({x.size(0)}, at::TensorOptions().dtype(at::kBool).device(x.device()));
  for (const Rule& rule : rules_of(x, columns)) {
    out = out.logical_or(rule.bad.flatten(1).any(1));
  }
  return out;
}

}  // namespace contraflow::data
