#include "contraflow/core/number_text.h"

#include <cmath>
#include <cstdio>

namespace contraflow {
namespace {

std::string printed(const char* format, int digits, double value) {
  char text[400];  // the largest double has 309 digits before its point
  std::snprintf(text, sizeof text, format, digits, value);
  return text;
}

}  // namespace

std::string fixed(double value, int digits) { return printed("%.*f", digits, value); }

std::string with_error(double value, double error, int digits) {
  return std::isfinite(error) ? fixed(value, digits) + " ± " + fixed(error, digits)
                              : fixed(value, digits);
}

std::string scientific(double value) { return printed("%.*e", 1, value); }

}  // namespace contraflow
