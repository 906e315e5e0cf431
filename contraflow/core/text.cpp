#include "contraflow/core/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Optimal string alignment: Levenshtein plus swaps of neighbours. Three rows are kept.
int64_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<int64_t> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = static_cast<int64_t>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int64_t>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int64_t replace = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({replace, previous[j] + 1, current[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

// Decodes one code point at `i` and moves past it; a broken byte decodes to itself.
char32_t next_code_point(std::string_view text, size_t& i) {
  const auto lead = static_cast<unsigned char>(text[i++]);
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  if (more == 0) return lead;
  char32_t point = lead & (0x3FU >> more);
  for (int k = 0; k < more; ++k) {
    if (i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) return lead;
    point = (point << 6U) | (static_cast<unsigned char>(text[i++]) & 0x3FU);
  }
  return point;
}

bool is_combining(char32_t c) {
  return (c >= 0x300 && c <= 0x36F) || (c >= 0x20D0 && c <= 0x20FF) || c == 0x200D ||
         (c >= 0xFE00 && c <= 0xFE0F);
}

bool is_wide(char32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
         (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
         (c >= 0x1F300 && c <= 0x1FAFF);
}

template <class... Values>
std::string print(const char* format, Values... values) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

std::string padded(const std::string& text, int64_t width, Align align) {
  const std::string fill(static_cast<size_t>(std::max<int64_t>(0, width - display_width(text))),
                         ' ');
  return align == Align::kLeft ? text + fill : fill + text;
}

}  // namespace

std::optional<std::string> nearest_match(std::string_view word,
                                         std::span<const std::string> candidates) {
  const std::string wanted = lower(word);
  // A third of the letters wrong is still a slip; more is another word.
  const int64_t limit = std::max<int64_t>(1, std::ssize(wanted) / 3);
  int64_t best = limit + 1;
  std::optional<std::string> match;
  for (const std::string& candidate : candidates) {
    if (std::abs(std::ssize(candidate) - std::ssize(wanted)) >= best) continue;
    const int64_t distance = edit_distance(wanted, lower(candidate));
    if (distance < best) {
      best = distance;
      match = candidate;
    }
  }
  return match;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out.append(separator);
    out.append(parts[i]);
  }
  return out;
}

std::string shorten(std::string_view text, int64_t limit) {
  std::string out;
  int64_t count = 0;
  for (size_t i = 0; i < text.size(); ++count) {
    const size_t begin = i;
    next_code_point(text, i);
    if (count == limit) return out + "...";
    const bool control = static_cast<unsigned char>(text[begin]) < 0x20 || text[begin] == 0x7F;
    control ? out.append(" ") : out.append(text.substr(begin, i - begin));
  }
  return out;
}

int64_t display_width(std::string_view text) {
  int64_t width = 0;
  for (size_t i = 0; i < text.size();) {
    const char32_t point = next_code_point(text, i);
    width += is_combining(point) ? 0 : is_wide(point) ? 2 : 1;
  }
  return width;
}

std::string format_bytes(int64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024.0;
  size_t unit = 0;
  // 1023.95 would print as 1024.0.
  for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) value /= 1024.0;
  return print("%.1f %s", value, kUnits[unit]);
}

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds)) return "unknown";
  if (seconds < 0) return format_duration(-seconds).insert(0, 1, '-');
  if (seconds < 9.95) return print("%.1f s", seconds);
  if (seconds > 1e15) return "unknown";
  const int64_t s = std::llround(seconds);
  const auto pair = [](int64_t a, const char* unit_a, int64_t b, const char* unit_b) {
    return print("%lld %s %02lld %s", static_cast<long long>(a), unit_a, static_cast<long long>(b),
                 unit_b);
  };
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return pair(s / 60, "min", s % 60, "s");
  if (s < 86400) return pair(s / 3600, "h", s % 3600 / 60, "min");
  return pair(s / 86400, "d", s % 86400 / 3600, "h");
}

std::string format_count(int64_t count) {
  std::string digits = std::to_string(count);
  const int64_t first = count < 0 ? 1 : 0;
  for (int64_t i = std::ssize(digits) - 3; i > first; i -= 3) {
    digits.insert(static_cast<size_t>(i), 1, ',');
  }
  return digits;
}

TextTable::TextTable(std::vector<std::string> header, std::vector<Align> align)
    : align_(std::move(align)) {
  align_.resize(header.size(), Align::kLeft);
  rows_.push_back(std::move(header));
}

void TextTable::add_row(std::vector<std::string> cells) {
  const size_t columns = rows_.front().size();
  if (cells.size() > columns) {
    fail<ShapeError>("TextTable.add_row", "cells", "at most " + std::to_string(columns),
                     std::to_string(cells.size()), "Give one cell per column of the header.");
  }
  cells.resize(columns);
  rows_.push_back(std::move(cells));
}

std::string TextTable::str() const {
  std::vector<int64_t> width(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], display_width(row[c]));
  }
  std::string out;
  const auto print_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      line += c > 0 ? "  " : "";
      line += padded(row[c], width[c], align_[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  std::vector<std::string> rule;
  for (const int64_t w : width) rule.emplace_back(static_cast<size_t>(w), '-');
  print_row(rows_.front());
  print_row(rule);
  for (size_t r = 1; r < rows_.size(); ++r) print_row(rows_[r]);
  return out;
}

std::string TextTable::markdown() const {
  std::string out;
  const auto print_row = [&](const std::vector<std::string>& row) {
    out += "|";
    for (const std::string& cell : row) {
      out += " ";
      for (const char c : cell) c == '|' ? out.append("\\|") : out.append(1, c);
      out += " |";
    }
    out += "\n";
  };
  print_row(rows_.front());
  out += "|";
  for (const Align a : align_) out += a == Align::kLeft ? "---|" : "---:|";
  out += "\n";
  for (size_t r = 1; r < rows_.size(); ++r) print_row(rows_[r]);
  return out;
}

}  // namespace contraflow
