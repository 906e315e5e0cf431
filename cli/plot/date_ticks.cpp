// Round dates and times for the axis of a column of seconds since 1970 (UTC).
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "cli/plot/axis.h"

namespace contraflow::plot {
namespace {

constexpr double kMinute = 60.0;
constexpr double kHour = 3600.0;
constexpr double kDay = 86400.0;
/// The calendar of std::chrono ends in the year 32767.
constexpr double kFarthestDate = 9e11;

enum class DateText { kYear, kMonth, kDate, kTime, kSecond };

struct Moment {
  std::chrono::year_month_day date;
  int64_t second = 0;  ///< Of the day.
};

Moment moment_of(double seconds) {
  const auto whole = static_cast<int64_t>(std::floor(seconds + 1e-6));
  const auto day = static_cast<int64_t>(std::floor(static_cast<double>(whole) / kDay));
  const std::chrono::sys_days date{std::chrono::days{day}};
  return {std::chrono::year_month_day{date}, whole - day * static_cast<int64_t>(kDay)};
}

double seconds_of(int year, unsigned month) {
  const std::chrono::sys_days day = std::chrono::year{year} / std::chrono::month{month} / 1;
  return static_cast<double>(day.time_since_epoch().count()) * kDay;
}

std::string date_text(double seconds, DateText style) {
  const Moment at = moment_of(seconds);
  const int year = static_cast<int>(at.date.year());
  const auto month = static_cast<unsigned>(at.date.month());
  const auto day = static_cast<unsigned>(at.date.day());
  const auto hour = static_cast<int>(at.second / 3600);
  const auto minute = static_cast<int>(at.second / 60 % 60);
  std::array<char, 64> text{};
  switch (style) {
    case DateText::kYear:
      std::snprintf(text.data(), text.size(), "%d", year);
      break;
    case DateText::kMonth:
      std::snprintf(text.data(), text.size(), "%d-%02u", year, month);
      break;
    case DateText::kDate:
      std::snprintf(text.data(), text.size(), "%d-%02u-%02u", year, month, day);
      break;
    case DateText::kTime:
      std::snprintf(text.data(), text.size(), "%02d:%02d", hour, minute);
      break;
    case DateText::kSecond:
      std::snprintf(text.data(), text.size(), "%02d:%02d:%02d", hour, minute,
                    static_cast<int>(at.second % 60));
      break;
  }
  return text.data();
}

/// At the starts of months, every `months`-th; multiples of twelve are years.
Ticks calendar_ticks(Range seconds, int months) {
  Ticks ticks{.values = {}, .labels = {}, .step = 30.4 * kDay * months, .minor = {}, .note = {}};
  const int first = static_cast<int>(moment_of(seconds.lo).date.year()) * 12;
  const int last = (static_cast<int>(moment_of(seconds.hi).date.year()) + 1) * 12;
  const int from = first - first % months;
  for (int k = from; k <= last; k += months) {
    const double at = seconds_of(k / 12, static_cast<unsigned>(k % 12) + 1);
    if (at < seconds.lo || at > seconds.hi) continue;
    ticks.values.push_back(at);
    ticks.labels.push_back(date_text(at, months % 12 == 0 ? DateText::kYear : DateText::kMonth));
  }
  return ticks;
}

/// At multiples of a step up to a week. Times of one day name it in the note.
Ticks clock_ticks(Range seconds, double step) {
  Ticks ticks{.values = {}, .labels = {}, .step = step, .minor = {}, .note = {}};
  const bool days = step >= kDay;
  const bool one_day = std::floor(seconds.lo / kDay) == std::floor(seconds.hi / kDay);
  for (double at = std::ceil(seconds.lo / step) * step; at <= seconds.hi; at += step) {
    ticks.values.push_back(at);
    const std::string time = date_text(at, step >= kMinute ? DateText::kTime : DateText::kSecond);
    ticks.labels.push_back(days      ? date_text(at, DateText::kDate)
                           : one_day ? time
                                     : date_text(at, DateText::kDate).substr(5) + " " + time);
  }
  if (!days) {
    ticks.note = (one_day ? date_text(seconds.lo, DateText::kDate)
                          : date_text(seconds.lo, DateText::kYear)) +
                 " (UTC)";
  }
  return ticks;
}

}  // namespace

std::vector<Ticks> date_ticks(Range seconds, int most) {
  std::vector<Ticks> choices;
  if (!(seconds.lo > -kFarthestDate && seconds.hi < kFarthestDate)) return choices;
  if (moment_of(seconds.lo).date.year() < std::chrono::year{1}) return choices;
  const auto offer = [&](const Ticks& ticks) {
    const size_t count = ticks.values.size();
    if (count >= 2 && count <= static_cast<size_t>(most)) choices.push_back(ticks);
  };
  const auto few = [&](double step) { return seconds.width() / step <= most + 1.0; };
  for (const double step :
       {1.0, 2.0, 5.0, 10.0, 30.0, kMinute, 2 * kMinute, 5 * kMinute, 15 * kMinute, 30 * kMinute,
        kHour, 3 * kHour, 6 * kHour, 12 * kHour, kDay, 2 * kDay, 7 * kDay, 14 * kDay}) {
    if (few(step)) offer(clock_ticks(seconds, step));
  }
  for (const int months : {1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000}) {
    if (few(30.4 * kDay * months)) offer(calendar_ticks(seconds, months));
  }
  return choices;
}

}  // namespace contraflow::plot
