#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

class ByteSink;
class CsvRecords;
class CsvCells;

/// Columns of a CSV file as numbers (RFC 4180: quotes, doubled quotes, CRLF, last line without an end;
/// a UTF-8 byte order mark and leading comment lines are passed over). Columns that are not selected may
/// hold any text. "-" is the standard input; FILE.gz is decompressed on the way.
///
/// Shapes     next(): [n, C].
/// Types      float64, correctly rounded; a leading "+" and spaces around a number are accepted.
/// Cost       one pass, one buffer of about 1 MiB (longer only for longer records).
/// Random     none.
/// Threads    one thread at a time.
/// Throws     see RowReader. Blank lines are accepted at the end of the file only, except where
///            bad_cells makes rows of them.
/// Source     RFC 4180.
/// Example    CsvReader reader("events.csv", {.columns = {"pt", "eta"}});
class CF_EXPORT CsvReader final : public RowReader {
 public:
  explicit CsvReader(const std::filesystem::path& path, const FileOptions& options = {});
  ~CsvReader() override;

  at::Tensor next(int64_t max_rows) override;
  std::vector<int64_t> event_shape() const override;
  const std::vector<std::string>& columns() const override { return columns_; }
  double fraction_read() const override;
  FileFormat format() const override;
  const std::vector<std::string>& notes() const override;
  const std::vector<BadRow>& bad_rows() const override { return bad_rows_; }
  const std::vector<std::vector<std::string>>& kept() const override { return kept_; }

 private:
  void select(const FileOptions& options);
  bool parse_plain(double* out) const;
  void parse_cells(double* out);
  void parse_cell(std::string_view field, size_t column, double* out);
  void keep_texts(const std::vector<std::string_view>& fields);
  void make_bad(double* out);
  std::string place(size_t column) const;
  [[noreturn]] void fail_count(const std::vector<std::string_view>& fields) const;

  std::unique_ptr<CsvRecords> records_;
  std::unique_ptr<CsvCells> cells_;
  BadCells bad_cells_;
  std::vector<std::string> columns_;  // that are selected
  std::vector<int64_t> slot_;         // per column of the file: where it goes, -1 = nowhere
  std::vector<size_t> keep_;          // columns of the file whose text is kept
  bool plain_ = false;                // rows without quotes are numbers between delimiters
  int64_t rows_read_ = 0;
  std::vector<BadRow> bad_rows_;
  std::vector<std::vector<std::string>> kept_;
};

/// Writes a CSV file: a header, then the shortest digits that read back as the same number. Tabs in
/// files named *.tsv, else commas; NaN is an empty field.
class CF_EXPORT CsvWriter final : public RowWriter {
 public:
  /// `texts` names columns of text before `columns`.
  CsvWriter(const std::filesystem::path& path, const std::vector<std::string>& columns,
            const std::vector<std::string>& texts = {});
  ~CsvWriter() override;

  using RowWriter::append;
  void append(const at::Tensor& rows, const TextColumns& texts) override;
  void finish() override;

 private:
  std::unique_ptr<ByteSink> file_;
  char delimiter_;
  int64_t columns_;
  size_t texts_;
  std::string text_;
};

}  // namespace contraflow::data
