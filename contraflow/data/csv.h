#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/file.h"
#include "contraflow/data/csv_scanner.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

/// Numeric columns of a CSV file (RFC 4180: quotes, doubled quotes, CRLF, last line without an end;
/// a UTF-8 byte order mark is skipped). Columns that are not selected may hold any text.
///
/// Shapes     next(): [n, C].
/// Types      float64, correctly rounded; a leading "+" and spaces around a number are accepted.
/// Cost       one pass, one buffer of about 1 MiB (longer only for longer records).
/// Random     none.
/// Threads    one thread at a time.
/// Throws     see RowReader. Blank lines are accepted at the end of the file only.
/// Source     RFC 4180.
/// Example    CsvReader reader("events.csv", {.columns = {"pt", "eta"}});
class CF_EXPORT CsvReader final : public RowReader {
 public:
  explicit CsvReader(const std::filesystem::path& path, const FileOptions& options = {});

  at::Tensor next(int64_t max_rows) override;
  std::vector<int64_t> event_shape() const override;
  const std::vector<std::string>& columns() const override { return columns_; }
  double fraction_read() const override { return scanner_.fraction_read(); }

 private:
  void read_first_record(CsvHeader header);
  void select(const std::vector<std::string>& wanted);
  bool advance();
  void parse_plain(double* out) const;
  void parse_quoted(double* out) const;
  double number(const char*& at, const char* end, int64_t column) const;
  std::string place(int64_t column) const;
  [[noreturn]] void fail_value(std::string_view field, int64_t column) const;
  [[noreturn]] void fail_count(int64_t got) const;

  CsvScanner scanner_;
  std::vector<std::string> names_;    // of all columns of the file
  std::vector<std::string> columns_;  // of the selected ones
  std::vector<int64_t> slot_;         // per column of the file: where it goes, -1 = nowhere
  bool first_is_data_ = false;
  int64_t rows_read_ = 0;
};

/// Writes a CSV file: a header, then the shortest digits that read back as the same number.
class CF_EXPORT CsvWriter final : public RowWriter {
 public:
  CsvWriter(const std::filesystem::path& path, const std::vector<std::string>& columns);

  void append(const at::Tensor& rows) override;
  void finish() override { file_.commit(); }

 private:
  AtomicFile file_;
  int64_t columns_;
  std::string text_;
};

}  // namespace contraflow::data
