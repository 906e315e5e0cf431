#include "contraflow/core/column_info.h"

#include <c10/util/StringUtil.h>

#include "contraflow/core/error.h"
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

}  // namespace contraflow
