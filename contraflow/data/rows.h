#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow::data {

/// Whether the first line of a CSV file names the columns.
enum class CsvHeader { kAuto, kYes, kNo };
/// What stands between the fields of a CSV file.
enum class CsvDelimiter { kAuto, kComma, kTab, kSemicolon };

/// How to read a file of rows.
struct FileOptions {
  /// Columns to read, by name or by number from 0 (-1 = the last one), in this order; empty = all.
  std::vector<std::string> columns = {};
  /// CSV only. kAuto: a first line without any number is a header, one of numbers is data; a
  /// mixture is an error that asks for a decision.
  CsvHeader header = CsvHeader::kAuto;
  /// CSV only. kAuto: a tab in files named *.tsv, else a comma.
  CsvDelimiter delimiter = CsvDelimiter::kAuto;
  /// Arrays only. Rows come in the array's own type where float64 would hold nothing more: uint8, int8,
  /// int16, int32 or float32 (narrower ones in the next wider of these). Else all is float64.
  bool keep_type = false;
  /// CSV only. Longest accepted record; keeps memory bounded on files that are not CSV.
  int64_t max_record_bytes = int64_t{16} << 20;
};

/// Rows of a file from first to last, in memory that does not grow with the file.
///
/// Shapes     next(): [n] + event_shape(); a table has event_shape() = [columns().size()].
/// Types      float64, or the type of the file (FileOptions::keep_type), on the CPU.
/// Threads    one thread at a time.
/// Throws     IoError (cannot be read, malformed, truncated, no rows); DomainError (a value that is
///            missing, not a number or not finite); both name file, line, row and column. Rows and
///            columns count from 0, lines from 1. ConfigError (unknown column).
/// Example    const auto reader = open_rows("events.csv");
///            while ((x = reader->next(4096)).size(0) > 0) score(x);
class CF_EXPORT RowReader {
 public:
  virtual ~RowReader() = default;
  /// The next rows, at most `max_rows` of them; zero rows at the end of the file.
  virtual at::Tensor next(int64_t max_rows) = 0;
  virtual std::vector<int64_t> event_shape() const = 0;
  /// Names of the columns read; empty for arrays of more than two dimensions.
  virtual const std::vector<std::string>& columns() const = 0;
  /// How much of the file has been read, in [0, 1]; 0 where its size is unknown (a pipe).
  virtual double fraction_read() const = 0;
};

/// A file written row by row, which appears under its name only at finish(). See AtomicFile.
///
/// Types      float32, float64, int64; numbers are written so that reading gives the same bits.
/// Threads    one thread at a time.
/// Throws     IoError (cannot be written); ShapeError, DtypeError (rows that do not fit).
/// Example    auto writer = create_rows("scores.csv", {"log_prob", "error"}, at::kDouble);
///            writer->append(scores);  writer->finish();
class CF_EXPORT RowWriter {
 public:
  virtual ~RowWriter() = default;
  /// Rows [n, columns].
  virtual void append(const at::Tensor& rows) = 0;
  virtual void finish() = 0;
};

/// The name ends like those of files that open_rows() reads.
CF_EXPORT bool is_row_file(const std::filesystem::path& path);
/// Of these, the ones of text: .csv, .tsv, .txt.
CF_EXPORT bool is_text_file(const std::filesystem::path& path);
/// ConfigError unless is_row_file().
CF_EXPORT void check_row_file(const std::filesystem::path& path);

/// A reader or a writer chosen by the file's extension: .npy; .csv, .tsv, .txt. ConfigError for
/// any other. `dtype` is that of an .npy file; text keeps the precision of the rows appended.
CF_EXPORT std::unique_ptr<RowReader> open_rows(const std::filesystem::path& path,
                                               const FileOptions& options = {});
CF_EXPORT std::unique_ptr<RowWriter> create_rows(const std::filesystem::path& path,
                                                 const std::vector<std::string>& columns,
                                                 at::ScalarType dtype);

/// All rows that `reader` still has.
CF_EXPORT at::Tensor read_all(RowReader& reader);

/// Numbers of the `wanted` columns among `names`, for readers and tables. `source` is the file's
/// name for messages. ConfigError: no such column (with the nearest name), a name that stands for
/// two columns, a column wanted twice.
CF_EXPORT std::vector<int64_t> find_columns(const std::vector<std::string>& names,
                                            const std::vector<std::string>& wanted,
                                            const std::string& source);

/// For writers: rows [n, columns] of a dtype that can be written; ShapeError, DtypeError.
CF_EXPORT void check_rows(const char* where, const at::Tensor& rows, int64_t columns);

constexpr auto enum_names(CsvHeader) {
  return std::array{std::pair{"auto", CsvHeader::kAuto}, std::pair{"yes", CsvHeader::kYes},
                    std::pair{"no", CsvHeader::kNo}};
}

constexpr auto enum_names(CsvDelimiter) {
  return std::array{std::pair{"auto", CsvDelimiter::kAuto},
                    std::pair{"comma", CsvDelimiter::kComma}, std::pair{"tab", CsvDelimiter::kTab},
                    std::pair{"semicolon", CsvDelimiter::kSemicolon}};
}

}  // namespace contraflow::data
