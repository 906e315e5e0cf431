#pragma once

#include <string>

namespace contraflow {

/// Numbers as readers want them.

/// "3.5402".
std::string fixed(double value, int digits = 4);
/// "3.5402 ± 0.0021"; without the error where it is not known.
std::string with_error(double value, double error, int digits = 4);
/// "1.2e-07".
std::string scientific(double value);

}  // namespace contraflow
