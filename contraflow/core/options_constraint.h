#pragma once

#include <array>
#include <limits>
#include <string>
#include <utility>

#include "contraflow/core/export.h"

namespace contraflow {

/// The name of an enum value; empty for a value outside the list. The names, in the order that help
/// prints them, come from a function beside the enum, in the enum's namespace:
///   constexpr auto enum_names(Schedule) {
///     return std::array{std::pair{"constant", Schedule::kConstant}};
///   }
template <class E>
constexpr const char* enum_name(E value) {
  for (const auto& [name, candidate] : enum_names(value)) {
    if (candidate == value) return name;
  }
  return "";
}

/// Which values a field accepts. On a list the range holds for each element, and non_empty() for
/// the list; on an optional both hold for the value, if there is one.
struct CF_EXPORT Constraint {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;      ///< `low` itself is refused.
  bool high_open = false;     ///< `high` itself is refused.
  bool need_content = false;  ///< Empty text and empty lists are refused.

  /// False for NaN.
  bool admits(double value) const;
  /// "> 0", ">= 1", "in (0, 1]", "not empty"; empty when anything goes.
  std::string text() const;
};

CF_EXPORT Constraint positive();                                   ///< > 0
CF_EXPORT Constraint non_negative();                               ///< >= 0
CF_EXPORT Constraint at_least(double low);                         ///< >= low
CF_EXPORT Constraint at_most(double high);                         ///< <= high
CF_EXPORT Constraint open_interval(double low, double high);       ///< low < value < high
CF_EXPORT Constraint closed_interval(double low, double high);     ///< low <= value <= high
CF_EXPORT Constraint half_open_interval(double low, double high);  ///< low <= value < high
CF_EXPORT Constraint left_open_interval(double low, double high);  ///< low < value <= high
CF_EXPORT Constraint non_empty();  ///< Text or a list with something in it.
/// Both constraints, for example `non_empty() && positive()` for a list of widths.
Constraint operator&&(const Constraint& a, const Constraint& b);

}  // namespace contraflow
