#include "contraflow/core/number_text.h"

#include <algorithm>
#include <array>
#include <charconv>
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

std::string fixed(double value, int digits) {
  constexpr double kLarge = 1e6;
  if (!std::isfinite(value) || std::abs(value) < kLarge) return printed("%.*f", digits, value);
  return printed("%.*e", std::max(digits, 1), value);
}

std::string with_error(const Estimate& value, int digits) {
  const std::string mean = fixed(value.mean, digits);
  return std::isfinite(value.standard_error) ? mean + " ± " + fixed(value.standard_error, digits)
                                             : mean;
}

std::string brief(double value) {
  if (value == 0.0) return "0";
  return std::abs(value) < 1e-3 || std::abs(value) >= 1e3 ? scientific(value) : fixed(value);
}

std::string shortest(double value) {
  std::array<char, 32> text{};  // the longest float64 takes 24
  char* const end = text.data() + text.size();
  return {text.data(), std::to_chars(text.data(), end, value).ptr};
}

std::string scientific(double value) { return printed("%.*e", 1, value); }

}  // namespace contraflow
