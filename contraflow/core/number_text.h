#pragma once

#include <string>

#include "contraflow/core/estimate.h"
#include "contraflow/core/export.h"

namespace contraflow {

/// Numbers as readers want them.

/// "3.5402"; from a million on "3.5402e+06", where decimals would only be long.
CF_EXPORT std::string fixed(double value, int digits = 4);
/// "3.5402 ± 0.0021"; without the error where it is not known.
CF_EXPORT std::string with_error(const Estimate& value, int digits = 4);
/// "0", "0.0123", "1.2e-07", "3.4e+09": a size of which two or three digits say enough.
CF_EXPORT std::string brief(double value);
/// The fewest digits that read back as the same number: "0.1", "1e+06".
CF_EXPORT std::string shortest(double value);
/// "1.2e-07".
CF_EXPORT std::string scientific(double value);

}  // namespace contraflow
