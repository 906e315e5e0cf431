#include "contraflow/data/cells.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>
#include <utility>

namespace contraflow::data {
namespace {

// Lower case in a buffer of its own; empty for what is longer than every word asked for.
class ShortWord {
 public:
  explicit ShortWord(std::string_view field) {
    if (field.size() > letters_.size()) return;
    size_ = field.size();
    std::transform(field.begin(), field.end(), letters_.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
  }
  template <size_t N>
  bool is_one_of(const std::array<std::string_view, N>& words) const {
    const std::string_view word(letters_.data(), size_);
    return size_ > 0 && std::find(words.begin(), words.end(), word) != words.end();
  }

 private:
  std::array<char, 5> letters_{};
  size_t size_ = 0;
};

std::optional<double> number_of(std::string_view field) {
  const char* at = field.data();
  const char* end = at + field.size();
  double value = 0.0;
  if (parse_number(at, end, value) == Parsed::kNotANumber || at != end) return std::nullopt;
  return value;
}

// Infinity or zero for a number beyond the widest type: by the sign of its exponent, or where it has none by
// whether digits stand before its point.
double beyond_range(std::string_view text) {
  const double sign = text.starts_with('-') ? -1.0 : 1.0;
  if (text.starts_with('-')) text.remove_prefix(1);
  const size_t exponent = text.find_first_of("eE");
  const bool small = exponent != std::string_view::npos
                         ? text.substr(exponent + 1).starts_with('-')
                         : text.starts_with('0') || text.starts_with('.');
  return std::copysign(small ? 0.0 : std::numeric_limits<double>::infinity(), sign);
}

template <class T>
std::string shortest_digits(T value) {
  std::array<char, 32> digits{};  // the longest float64 takes 24
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

}  // namespace

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Parsed parse_number(const char*& at, const char* end, double& value) {
  const char* start = at;
  if (end - start > 1 && *start == '+' && start[1] != '-') ++start;  // from_chars takes no plus
  const auto [stop, error] = std::from_chars(start, end, value);
  if (error == std::errc::invalid_argument) return Parsed::kNotANumber;
  at = stop;
  if (error == std::errc::result_out_of_range) {
    // Too small for float64 rounds to zero or a denormal; the wider type tells it from too large.
    long double wide = 0.0L;
    const auto retry = std::from_chars(start, end, wide);
    value = static_cast<double>(wide);
    if (retry.ec != std::errc()) value = beyond_range({start, static_cast<size_t>(stop - start)});
    if (std::isinf(value)) return Parsed::kOverflow;
  }
  return Parsed::kNumber;
}

bool has_decimal_comma(std::string_view field) {
  const size_t comma = field.find(',');
  if (comma == std::string_view::npos || field.find('.') != std::string_view::npos) return false;
  return as_number(field, DecimalMark::kComma).has_value();
}

std::optional<double> as_number(std::string_view field, DecimalMark decimal) {
  if (field.empty()) return std::nullopt;
  if (decimal != DecimalMark::kComma) return number_of(field);
  constexpr size_t kLongest = 400;  // the exact digits of no float64 that a program writes are more
  if (field.find('.') != std::string_view::npos || field.size() > kLongest) return std::nullopt;
  std::array<char, kLongest> with_point{};
  std::replace_copy(field.begin(), field.end(), with_point.begin(), ',', '.');
  return number_of({with_point.data(), field.size()});
}

bool stands_for_missing(std::string_view field) {
  constexpr std::array<std::string_view, 7> kMarks{"na", "n/a", "null", "none", "?", "-", "."};
  return field.empty() || ShortWord(field).is_one_of(kMarks);
}

std::optional<bool> as_boolean(std::string_view field) {
  constexpr std::array<std::string_view, 3> kTrue{"true", "yes", "t"};
  constexpr std::array<std::string_view, 3> kFalse{"false", "no", "f"};
  const ShortWord word(field);
  if (word.is_one_of(kTrue)) return true;
  if (word.is_one_of(kFalse)) return false;
  return std::nullopt;
}

MissingMarks::MissingMarks(const std::vector<std::string>& further) {
  for (const std::string& mark : further) {
    const std::string_view text = trim(mark);
    texts_.emplace_back(text);
    const auto number = as_number(text);
    if (number && !std::isnan(*number)) numbers_.push_back(*number);
  }
}

bool MissingMarks::matches(std::string_view field, DecimalMark decimal) const {
  if (stands_for_missing(field)) return true;
  if (texts_.empty()) return false;
  if (std::find(texts_.begin(), texts_.end(), field) != texts_.end()) return true;
  if (numbers_.empty()) return false;
  const auto number = as_number(field, decimal);
  return number && matches(*number);
}

bool MissingMarks::matches(double value) const {
  return std::find(numbers_.begin(), numbers_.end(), value) != numbers_.end();
}

Categories::Categories(std::vector<std::string> texts) : texts_(std::move(texts)) {
  for (size_t i = 0; i < texts_.size(); ++i) {
    by_text_.emplace(texts_[i], static_cast<double>(i));
    const auto number = as_number(trim(texts_[i]));
    if (number && !std::isnan(*number)) by_number_.emplace(*number, static_cast<double>(i));
  }
}

std::optional<double> Categories::find(std::string_view field, DecimalMark decimal) const {
  const auto found = by_text_.find(field);
  if (found != by_text_.end()) return found->second;
  if (by_number_.empty()) return std::nullopt;
  const auto number = as_number(field, decimal);
  return number ? find(*number) : std::nullopt;
}

std::optional<double> Categories::find(double value) const {
  if (std::isnan(value)) return std::nullopt;  // has no place in the order of a map
  const auto found = by_number_.find(value);
  if (found == by_number_.end()) return std::nullopt;
  return found->second;
}

std::string shortest(double value) { return shortest_digits(value); }
std::string shortest(float value) { return shortest_digits(value); }

}  // namespace contraflow::data
