#include "contraflow/core/column_info.h"

#include <c10/util/StringUtil.h>

#include "contraflow/core/error.h"

namespace contraflow {

void validate(const ColumnInfo& info) {
  if (info.kind == ColumnKind::kBounded && !info.lower && !info.upper) {
    fail<ConfigError>("column", "bounded", "a lower or an upper bound", "neither",
                      "Give lower, upper or both, or choose another kind.");
  }
  if (info.lower && info.upper && !(*info.lower < *info.upper)) {
    fail<ConfigError>("column", "lower", c10::str("below upper = ", *info.upper),
                      c10::str(*info.lower), "Exchange the bounds, or correct them.");
  }
}

}  // namespace contraflow
