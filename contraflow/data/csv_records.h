#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/data/csv_fields.h"
#include "contraflow/data/csv_scanner.h"
#include "contraflow/data/csv_sniff.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

/// The rows of a CSV file as text, after what it looks like has been found out.
///
/// Threads    one thread at a time.
/// Throws     IoError; with BadCells::kAllAsNan not for a row, which has a problem() instead.
/// Example    while (rows.next()) use(rows.fields());
class CsvRecords {
 public:
  CsvRecords(const std::filesystem::path& path, const FileOptions& options);

  /// Names of all columns of the file, in UTF-8; column_k where the header is empty or missing.
  const std::vector<std::string>& names() const { return names_; }
  /// For each column: the header's cell was empty.
  const std::vector<bool>& unnamed() const { return unnamed_; }
  /// For each column: the first records hold text in it and no number.
  const std::vector<bool>& text_columns() const { return layout_.text_columns; }
  const FileFormat& format() const { return format_; }
  const std::vector<std::string>& notes() const { return notes_; }

  /// Moves to the next row; false at the end. Blank lines may only end the file.
  bool next();
  /// The row's text without a trailing delimiter that all rows have.
  std::string_view record() const { return record_; }
  /// record() must be cut with fields(); otherwise at delimiter().
  bool quoted() const { return scanner_.quoted() || !problem_.empty(); }
  /// The row's fields; none and a problem() where they cannot be told, which is an IoError unless
  /// lenient.
  const std::vector<std::string_view>& fields();
  /// What is wrong with the row as a whole: empty = nothing.
  const std::string& problem() const { return problem_; }

  char delimiter() const { return delimiter_; }
  /// Number of the row, from 0.
  int64_t row() const { return row_; }
  int64_t line() const;
  const std::string& name() const { return scanner_.name(); }
  double fraction_read() const { return scanner_.fraction_read(); }
  /// Bytes of the file in UTF-8. What is not UTF-8 is Latin-1 from then on, if that may be guessed.
  std::string text(std::string_view bytes);

 private:
  void take_separator_line();
  void sniff(const std::filesystem::path& path);
  void read_names();
  bool has_header(const std::vector<std::string>& first);
  bool are_names();
  bool take_comment_names(const std::vector<std::string>& first);
  void set_names(std::vector<std::string> header);
  bool is_blank() const;
  bool pass_blank_lines();
  std::string_view without_trailing(std::string_view record) const;
  void note(const std::string& what) { notes_.push_back(what); }
  [[noreturn]] void fail_quotes();
  [[noreturn]] void fail_title(std::string_view first);
  [[noreturn]] void fail_units();

  FileOptions options_;
  CsvScanner scanner_;
  FileFormat format_;
  CsvLayout layout_;
  std::vector<std::string> notes_;
  std::vector<std::string> names_;
  std::vector<bool> unnamed_;
  CsvFields fields_;
  std::vector<std::string_view> no_fields_;
  std::string_view record_;
  std::string problem_;
  char delimiter_ = ',';
  bool lenient_ = false;
  bool rows_below_ = false;      // the first record is not the only one
  bool integers_below_ = false;  // one of the first records after the first one is an integer alone
  bool first_is_data_ = false;
  bool waiting_ = false;     // the scanner stands at a row that comes after the blank lines
  int64_t blank_lines_ = 0;  // that are still to be given out as rows
  int64_t row_ = -1;
};

}  // namespace contraflow::data
