#include <charconv>
#include <chrono>
#include <cstdint>
#include <system_error>

#include "contraflow/data/cells.h"

namespace contraflow::data {
namespace {

// A cursor over the text of a date.
class DateParser {
 public:
  explicit DateParser(std::string_view text) : text_(text) {}

  std::optional<double> parse() {
    const auto days = date();
    if (!days) return std::nullopt;
    if (text_.empty()) return static_cast<double>(*days * kDay);
    if (!accept('T') && !accept('t') && !accept(' ')) return std::nullopt;
    double fraction = 0.0;
    const auto seconds = time(fraction);
    const auto offset = seconds ? zone() : std::nullopt;
    if (!offset || !text_.empty()) return std::nullopt;
    return static_cast<double>(*days * kDay + *seconds - *offset) + fraction;
  }

 private:
  static constexpr int64_t kDay = 86400;

  bool accept(char wanted) {
    if (text_.empty() || text_[0] != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }

  // A number of exactly `digits` digits, at most `most`.
  std::optional<int64_t> number(size_t digits, int64_t most) {
    if (text_.size() < digits) return std::nullopt;
    int64_t value = 0;
    for (const char c : text_.substr(0, digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = 10 * value + (c - '0');
    }
    text_.remove_prefix(digits);
    return value > most ? std::nullopt : std::optional(value);
  }

  std::optional<int64_t> date() {
    const auto year = number(4, 9999);
    if (!year || !accept('-')) return std::nullopt;
    const auto month = number(2, 12);
    if (!month || !accept('-')) return std::nullopt;
    const auto day = number(2, 31);
    if (!day) return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date).time_since_epoch().count();
  }

  // Hours and minutes, then perhaps seconds (60 is a leap second) and decimals of one.
  std::optional<int64_t> time(double& fraction) {
    const auto hours = number(2, 23);
    if (!hours || !accept(':')) return std::nullopt;
    const auto minutes = number(2, 59);
    if (!minutes) return std::nullopt;
    int64_t seconds = 3600 * *hours + 60 * *minutes;
    if (!accept(':')) return seconds;
    const auto last = number(2, 60);
    if (!last) return std::nullopt;
    seconds += *last;
    if (!text_.empty() && (text_[0] == '.' || text_[0] == ',')) {
      if (!decimals(fraction)) return std::nullopt;
    }
    return seconds;
  }

  bool decimals(double& fraction) {
    text_.remove_prefix(1);
    size_t digits = 0;
    while (digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9') ++digits;
    constexpr size_t kLongest = 30;
    if (digits == 0 || digits > kLongest) return false;
    const std::string number = "0." + std::string(text_.substr(0, digits));
    text_.remove_prefix(digits);
    return std::from_chars(number.data(), number.data() + number.size(), fraction).ec ==
           std::errc();
  }

  // Seconds east of UTC: nothing or Z, +hh, +hhmm, +hh:mm.
  std::optional<int64_t> zone() {
    if (text_.empty() || accept('Z') || accept('z')) return 0;
    const bool west = accept('-');
    if (!west && !accept('+')) return std::nullopt;
    const auto hours = number(2, 23);
    if (!hours) return std::nullopt;
    int64_t seconds = 3600 * *hours;
    if (!text_.empty()) {
      accept(':');
      const auto minutes = number(2, 59);
      if (!minutes) return std::nullopt;
      seconds += 60 * *minutes;
    }
    return west ? -seconds : seconds;
  }

  std::string_view text_;
};

}  // namespace

std::optional<double> as_date(std::string_view field) {
  constexpr size_t kShortest = 10;  // most cells are something else
  if (field.size() < kShortest || field[4] != '-') return std::nullopt;
  return DateParser(field).parse();
}

}  // namespace contraflow::data
