#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow::data {

/// Cuts a CSV file into records (a line, or several where a quoted field holds line ends).
///
/// Threads    one thread at a time.
/// Throws     IoError (cannot be read; a NUL byte; a record above `max_record_bytes`; an open quote
///            at the end of the file), with the line.
/// Example    while (scanner.next()) parse(scanner.record());
class CF_EXPORT CsvScanner {
 public:
  CsvScanner(std::filesystem::path path, char delimiter, int64_t max_record_bytes);

  /// Moves to the next record; false at the end of the file.
  bool next();
  /// The record without its line end; valid until next().
  std::string_view record() const { return {buffer_.data() + begin_, length_}; }
  /// The record holds a quote, so that its fields must be read with fields().
  bool quoted() const { return quotes_ > 0; }
  /// Fields of the record with quotes resolved; IoError on a misplaced quote.
  std::vector<std::string> fields() const;

  char delimiter() const { return delimiter_; }
  /// First line of the record, from 1.
  int64_t line() const { return line_; }
  double fraction_read() const;
  const std::string& name() const { return name_; }

 private:
  bool find_record_end(size_t& scanned);
  bool fill();
  void skip_byte_order_mark();
  size_t read_field(std::string_view text, size_t at, std::string& field) const;
  void check_length(size_t bytes) const;
  [[noreturn]] void fail_open_quote() const;

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::string name_;
  char delimiter_;
  size_t max_record_bytes_;
  std::unique_ptr<std::FILE, Close> file_;
  uintmax_t total_bytes_ = 0;
  uintmax_t consumed_bytes_ = 0;
  std::vector<char> buffer_;
  size_t begin_ = 0;   // of the current record
  size_t length_ = 0;  // of the record
  size_t after_ = 0;   // start of the next record
  size_t end_ = 0;     // of the bytes read
  bool end_of_file_ = false;
  int64_t quotes_ = 0;
  int64_t line_ = 0;
  int64_t next_line_ = 1;
};

}  // namespace contraflow::data
