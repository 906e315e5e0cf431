#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/data/byte_source.h"

namespace contraflow::data {

/// Cuts a CSV file into records (a line, or several where a quoted field holds line ends). A byte order
/// mark and the comment lines at the start ("#") are passed over.
///
/// Threads    one thread at a time.
/// Throws     IoError (cannot be read; a NUL byte; a record above `max_record_bytes`; an open quote
///            at the end of the file), with the line.
/// Example    while (scanner.next()) parse(scanner.record());
class CsvScanner {
 public:
  /// With `lenient` a quote that does not close ends at its line: see broken().
  CsvScanner(std::unique_ptr<ByteSource> source, std::string name, int64_t max_record_bytes,
             bool lenient);

  /// Moves to the next record; false at the end of the file.
  bool next();
  /// The record without its line end; valid until next().
  std::string_view record() const { return {buffer_.data() + begin_, length_}; }
  /// The record holds a quote, so that its fields must be read with CsvFields.
  bool quoted() const { return quotes_ > 0; }
  /// The record is a line with a quote that does not close.
  bool broken() const { return broken_; }
  /// The record, which CsvFields refuse, ends at its first line; the lines after it are records again.
  void end_at_first_line();

  /// The first records, without moving: at most `most` of them, as many as come within 64 KiB.
  std::vector<std::string_view> peek(size_t most);
  /// All bytes in memory after the comments, at least those of peek().
  std::string_view buffered() const { return {buffer_.data() + after_, end_ - after_}; }
  /// The text of the last comment line before the first record, without "#"; its line, 0 = none.
  const std::string& comment() const { return comment_; }
  int64_t comment_line() const { return comment_line_; }

  /// The delimiter that a first line "sep=;" names, as Excel writes and reads it; 0 = no such line.
  char separator() const { return separator_; }

  /// First line of the record, from 1.
  int64_t line() const { return line_; }
  double fraction_read() const;
  const std::string& name() const { return name_; }

 private:
  bool find_record_end(size_t& scanned);
  bool fill();
  bool fill_after();
  void skip_byte_order_mark();
  void skip_separator_line();
  bool skip_comment();
  void check_length(size_t bytes) const;
  void check_text(const char* fresh, size_t count) const;
  [[noreturn]] void fail_open_quote() const;

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  size_t max_record_bytes_;
  bool lenient_;
  bool broken_ = false;
  uint64_t consumed_bytes_ = 0;
  std::vector<char> buffer_;
  size_t begin_ = 0;   // of the current record
  size_t length_ = 0;  // of the record
  size_t after_ = 0;   // start of the next record
  size_t end_ = 0;     // of the bytes read
  bool end_of_file_ = false;
  int64_t quotes_ = 0;
  int64_t line_ = 0;
  int64_t next_line_ = 1;
  char separator_ = 0;
  std::string comment_;
  int64_t comment_line_ = 0;
};

}  // namespace contraflow::data
