#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow {

/// Small text helpers shared by messages, help and the command line.

/// The candidate with the fewest edits (insert, delete, replace, swap neighbours) from `word`,
/// ignoring case; empty when none is near enough to be a plausible slip.
CF_EXPORT std::optional<std::string> nearest_match(std::string_view word,
                                                   std::span<const std::string> candidates);

CF_EXPORT std::string join(std::span<const std::string> parts, std::string_view separator);

/// `text` on one line, cut to `limit` code points with "..."; control characters become spaces.
CF_EXPORT std::string shorten(std::string_view text, int64_t limit = 60);

/// Code points that take a column; combining marks and broken bytes count as zero and one.
CF_EXPORT int64_t display_width(std::string_view text);

/// "512 B", "1.5 KiB", "3.0 GiB".
CF_EXPORT std::string format_bytes(int64_t bytes);
/// "0.8 s", "42 s", "2 min 05 s", "3 h 07 min", "2 d 04 h".
CF_EXPORT std::string format_duration(double seconds);
/// "999", "1,234,567".
CF_EXPORT std::string format_count(int64_t count);

enum class Align { kLeft, kRight };

/// Rows of cells printed with aligned columns, two spaces between them.
class CF_EXPORT TextTable {
 public:
  explicit TextTable(std::vector<std::string> header, std::vector<Align> align = {});
  /// Missing cells are empty; more cells than the header has throw ShapeError.
  void add_row(std::vector<std::string> cells);
  /// Header, a rule, the rows; each line ends with a newline and has no trailing spaces.
  std::string str() const;
  /// The same as a Markdown table.
  std::string markdown() const;

 private:
  std::vector<Align> align_;
  std::vector<std::vector<std::string>> rows_;  ///< rows_[0] is the header.
};

}  // namespace contraflow
