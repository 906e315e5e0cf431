#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/core/text.h"

namespace contraflow::cli {
namespace {

constexpr double kTerminalInterval = 0.2;
constexpr double kPlainInterval = 10.0;

double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

int64_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 80;
}

[[noreturn]] void fail_to_write(int error) {
  fail<IoError>("contraflow", "standard output", "to write the result",
                error == 0 ? "an error" : std::generic_category().message(error),
                error == EPIPE ? "What reads it has ended; the command itself has done its work."
                               : "Free space there, or send it elsewhere.");
}

}  // namespace

Console::Console(std::ostream& out, std::ostream& err, const Terminal& terminal)
    : out_(out), err_(err), terminal_(terminal) {}

Console Console::standard() {
  return {std::cout,
          std::cerr,
          {::isatty(STDOUT_FILENO) == 1, ::isatty(STDERR_FILENO) == 1, terminal_columns()}};
}

void Console::result(const nlohmann::ordered_json& json, std::string_view text) const {
  erase_passing();
  errno = 0;
  if (json_) {
    out_ << json_text(json, 2) << '\n';
  } else {
    out_ << text;
    if (!text.empty() && text.back() != '\n') out_ << '\n';
  }
  out_.flush();
  if (!out_) fail_to_write(errno);
}

void Console::note(std::string_view text) const {
  erase_passing();
  err_ << text << '\n' << std::flush;
}

void Console::passing(std::string_view text) const {
  err_ << '\r' << text << "\x1b[K" << std::flush;
  passing_ = true;
}

void Console::erase_passing() const {
  if (passing_) err_ << "\r\x1b[K" << std::flush;
  passing_ = false;
}

void Console::error(std::string_view text) const {
  erase_passing();
  err_ << styled("1;31", "error:", terminal_.err) << ' ' << text << '\n' << std::flush;
}

std::string Console::styled(const char* code, std::string_view text, bool terminal) const {
  const char* no_color = std::getenv("NO_COLOR");
  if (!terminal || (no_color != nullptr && *no_color != '\0')) return std::string(text);
  std::string out = "\x1b[";
  return out.append(code).append("m").append(text).append("\x1b[0m");
}

std::string Console::bold(std::string_view text) const { return styled("1", text, terminal_.out); }
std::string Console::good(std::string_view text) const {
  return styled("1;32", text, terminal_.out);
}
std::string Console::bad(std::string_view text) const {
  return styled("1;31", text, terminal_.out);
}

std::string Facts::str() const {
  int64_t width = 0;
  for (const auto& [name, value] : rows_) width = std::max(width, display_width(name));
  std::string out;
  for (const auto& [name, value] : rows_) {
    const auto pad = static_cast<size_t>(width - display_width(name));
    out.append("  ").append(name).append(pad + 2, ' ').append(value).append("\n");
  }
  return out;
}

RowProgress::RowProgress(const Console& console, std::string what, int64_t total, std::string unit)
    : console_(console),
      what_(std::move(what)),
      total_(total),
      unit_(std::move(unit)),
      start_(now()),
      printed_(start_) {}

double RowProgress::seconds() const { return now() - start_; }

double RowProgress::rows_per_second() const {
  const double time = seconds();
  return time > 0.0 ? static_cast<double>(rows_) / time : 0.0;
}

void RowProgress::done(int64_t rows, double fraction) {
  rows_ = rows;
  const bool terminal = console_.terminal().err;
  const double time = now();
  if (time - printed_ < (terminal ? kTerminalInterval : kPlainInterval)) return;
  printed_ = time;
  if (fraction < 0.0 && total_ > 0)
    fraction = static_cast<double>(rows) / static_cast<double>(total_);
  const std::string text = shorten(line(fraction), console_.terminal().columns - 1);
  if (terminal) {
    console_.passing(text);
  } else {
    console_.note(text);
  }
}

std::string RowProgress::line(double fraction) const {
  std::string out = what_ + "  " + format_count(rows_);
  if (total_ > 0) out += "/" + format_count(total_);
  out += " " + unit_;
  if (fraction > 0.0) out += "  " + std::to_string(static_cast<int>(100.0 * fraction)) + "%";
  const double time = seconds();
  if (unit_ != "pictures") out += "  " + rate_text(rows_per_second()) + " " + unit_ + "/s";
  if (fraction > 0.0) out += "  " + format_duration(time * (1.0 - fraction) / fraction) + " left";
  return out;
}

std::string rate_text(double per_second) {
  constexpr double kFew = 10.0;
  return per_second < kFew ? fixed(per_second, 2) : format_count(std::llround(per_second));
}

std::string rows_text(int64_t rows, double effective_rows, const std::string& unit) {
  const std::string text = format_count(rows) + " " + unit + "s";
  if (std::llround(effective_rows) == rows) return text;
  return text + ", weighted: as good as " + fixed(effective_rows, 1);
}

}  // namespace contraflow::cli
