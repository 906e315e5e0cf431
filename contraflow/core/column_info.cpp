#include "contraflow/core/column_info.h"

#include <ATen/ATen.h>
#include <c10/util/StringUtil.h>

#include <limits>

#include "contraflow/core/error.h"
#include "contraflow/core/number_text.h"
#include "contraflow/core/options.h"

namespace contraflow {

void validate(const ColumnInfo& info) {
  if (info.kind == ColumnKind::kBounded && !info.lower && !info.upper) {
    fail<ConfigError>("column", "bounded", "a lower or an upper bound", "neither",
                      "Give lower, upper or both, or choose another kind.");
  }
  if (info.levels > 0 && info.kind != ColumnKind::kInteger) {
    fail<ConfigError>("column", "levels", "an integer column", enum_name(info.kind),
                      "Remove levels, or set kind to integer.");
  }
  if (info.lower && info.upper && !(*info.lower < *info.upper)) {
    fail<ConfigError>("column", "lower", c10::str("below upper = ", *info.upper),
                      c10::str(*info.lower), "Exchange the bounds, or correct them.");
  }
}

at::Tensor are_broken_steps(const at::Tensor& steps) {
  return (steps - steps.round()).abs().gt(1e-6 + steps.abs() * 0x1p-50);
}

at::Tensor are_impossible(const ColumnInfo& info, const at::Tensor& values) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double least = info.least().value_or(-kInfinity), most = info.most().value_or(kInfinity);
  const at::Tensor outside = values.lt(least).logical_or(values.gt(most));
  return info.whole() ? outside.logical_or(are_broken_steps(values / info.step)) : outside;
}

std::string possible_values(const ColumnInfo& info) {
  const auto least = info.least(), most = info.most();
  std::string out = info.whole() ? "a multiple of " + shortest(info.step) : "a number";
  if (!info.whole() && least && most) {
    return "a value in [" + shortest(*least) + ", " + shortest(*most) + "]";
  }
  if (least) out += " from " + shortest(*least) + " on";
  if (most) out += " up to " + shortest(*most);
  return out;
}

}  // namespace contraflow
