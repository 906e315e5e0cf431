#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/data/rows.h"

namespace contraflow::data {

/// What the text of one cell says. Fields come without the spaces around them: see trim().

std::string_view trim(std::string_view text);

enum class Parsed { kNumber, kNotANumber, kOverflow };
/// Reads a number at the front of [at, end), correctly rounded, and moves `at` past it.
Parsed parse_number(const char*& at, const char* end, double& value);

/// The number that is the whole field, NaN and infinity too; infinity where float64 overflows.
std::optional<double> as_number(std::string_view field, DecimalMark decimal = DecimalMark::kPoint);
/// A number with a comma before its decimals, which as_number() takes with kComma only.
bool has_decimal_comma(std::string_view field);
/// Empty, NA, N/A, null, none, "?", "-" or ".", in any case.
bool stands_for_missing(std::string_view field);
/// true, yes, t; false, no, f; in any case. Not 1 and 0.
std::optional<bool> as_boolean(std::string_view field);
/// Seconds since 1970-01-01 (UTC) of a date in ISO 8601, optionally with a time after "T" or a space,
/// fractions of a second, and "Z" or an offset. Without one the time is taken for UTC.
std::optional<double> as_date(std::string_view field);

/// Marks of missing cells: stands_for_missing(), and those that a user added.
class MissingMarks {
 public:
  explicit MissingMarks(const std::vector<std::string>& further);
  /// The text of a cell is a mark. NaN is left to the caller, who has the number.
  bool matches(std::string_view field, DecimalMark decimal) const;
  bool matches(double value) const;
  bool has_numbers() const { return !numbers_.empty(); }

 private:
  std::vector<std::string> texts_;
  std::vector<double> numbers_;
};

/// The class number of texts, by the text and, where both are numbers, by the number.
class Categories {
 public:
  explicit Categories(std::vector<std::string> texts);
  std::optional<double> find(std::string_view field, DecimalMark decimal) const;
  std::optional<double> find(double value) const;
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
  std::map<std::string, double, std::less<>> by_text_;
  std::map<double, double> by_number_;
};

/// The shortest digits that read back as the same number.
std::string shortest(double value);
std::string shortest(float value);

}  // namespace contraflow::data
