#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow::data {

/// Whether the first line of a CSV file names the columns.
enum class CsvHeader { kAuto, kYes, kNo };
/// What stands between the fields of a CSV file; kWhitespace is any run of spaces and tabs.
enum class CsvDelimiter { kAuto, kComma, kTab, kSemicolon, kWhitespace };
/// What stands before the decimals of a number in a CSV file.
enum class DecimalMark { kAuto, kPoint, kComma };
/// What the bytes of a CSV file mean. Texts that a reader gives out are always UTF-8.
enum class TextEncoding { kAuto, kUtf8, kLatin1 };
/// How a file is compressed: by gzip, or as a member of a zip archive (.npz).
enum class Compression { kNone, kGzip, kZip };

/// What becomes of a cell that holds no finite number.
enum class BadCells {
  kRefuse,        ///< An error that names its place.
  kMissingAsNan,  ///< NaN where the cell says that it is missing, an error otherwise.
  kAllAsNan       ///< NaN, also for every cell of a row with too few or too many fields.
};

/// What the text of a column's cells means.
enum class CellKind {
  kNumber,
  kBoolean,  ///< true, yes, t, 1 and false, no, f, 0, in any case: 1 and 0.
  kDate,     ///< ISO 8601, "2024-02-29" or "2024-02-29T12:30:00.5+01:00": seconds since 1970 (UTC).
  kCategory  ///< One of a list of texts: its number in the list.
};

/// How to read the cells of one column.
struct CellReading {
  CellKind kind = CellKind::kNumber;
  /// kCategory only, in the order of the class numbers. A number is also compared as a number.
  std::vector<std::string> categories = {};
};

/// How to read a file of rows. What is kAuto is found out from the first records of the file.
struct FileOptions {
  /// Columns to read, by name or by number from 0 (-1 = the last one), in this order; empty = all.
  std::vector<std::string> columns = {};
  /// CSV only. kAuto: a first line without any number is a header, and so is 0, 1, 2, ...; another
  /// line of numbers is data; a mixture is an error that asks for a decision.
  CsvHeader header = CsvHeader::kAuto;
  /// CSV only. kAuto: the one that cuts the first records into the most alike and most numeric
  /// fields; where that does not decide, a tab in files named *.tsv, else a comma.
  CsvDelimiter delimiter = CsvDelimiter::kAuto;
  /// CSV only. kAuto: a comma where it is not the delimiter and the first cells look like 1,5.
  DecimalMark decimal = DecimalMark::kAuto;
  /// CSV only. kAuto: UTF-8 where the bytes are, else Latin-1.
  TextEncoding encoding = TextEncoding::kAuto;
  /// Further marks of a missing cell, for example "-999"; compared as text, and a number also as a
  /// number. An empty cell, NA, N/A, null, none, NaN, "?", "-" and "." always mean that.
  std::vector<std::string> missing = {};
  BadCells bad_cells = BadCells::kRefuse;
  /// By the name of the column; the others are numbers. Arrays hold numbers: their categories are
  /// looked up, other kinds are left as they are.
  std::map<std::string, CellReading> cells = {};
  /// Columns whose text is kept beside the numbers, by name or number: see RowReader::kept().
  std::vector<std::string> keep = {};
  /// Arrays only. Rows come in the array's own type where float64 would hold nothing more: uint8, int8,
  /// int16, int32 or float32 (narrower ones in the next wider of these). Else all is float64.
  bool keep_type = false;
  /// CSV only. Longest accepted record; keeps memory bounded on files that are not CSV.
  int64_t max_record_bytes = int64_t{16} << 20;
};

/// How a file turned out to be written. Arrays have a compression only.
struct FileFormat {
  bool header = false;  ///< The file names its columns.
  CsvDelimiter delimiter = CsvDelimiter::kAuto;
  DecimalMark decimal = DecimalMark::kAuto;
  TextEncoding encoding = TextEncoding::kAuto;
  Compression compression = Compression::kNone;
};

/// A row in which something became NaN (BadCells::kAllAsNan), and the first reason.
struct BadRow {
  int64_t row = 0;  ///< From 0, counted over the file.
  std::string reason;
};

/// Rows of a file from first to last, in memory that does not grow with the file.
///
/// Shapes     next(): [n] + event_shape(); a table has event_shape() = [columns().size()].
/// Types      float64, or the type of the file (FileOptions::keep_type), on the CPU.
/// Threads    one thread at a time.
/// Throws     IoError (cannot be read, malformed, truncated, no rows); DomainError (a value that is
///            missing, not a number or not finite, unless bad_cells allows it); both name file, line,
///            row and column. Rows and columns count from 0, lines from 1. ConfigError (unknown column).
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
  /// What was asked for or found out; final after the first next().
  virtual FileFormat format() const = 0;
  /// One line for each thing that was found out, converted or left out.
  virtual const std::vector<std::string>& notes() const = 0;
  /// For the rows of the last next(), in order; filled with BadCells::kAllAsNan only.
  virtual const std::vector<BadRow>& bad_rows() const = 0;
  /// For the rows of the last next(): their texts, one list for each column of FileOptions::keep. A
  /// number of an array comes in the shortest digits that read back as the same number.
  virtual const std::vector<std::vector<std::string>>& kept() const = 0;
};

/// Texts beside rows: one list for each column of text, with one entry for each row.
using TextColumns = std::vector<std::vector<std::string>>;

/// A file written row by row, which appears under its name only at finish(). See AtomicFile.
///
/// Types      float32, float64, int64; numbers are written so that reading gives the same bits. NaN is an
///            empty field in files of text.
/// Threads    one thread at a time.
/// Throws     IoError (cannot be written); ShapeError, DtypeError (rows that do not fit).
/// Example    auto writer = create_rows("scores.csv", {"log_prob", "error"}, at::kDouble);
///            writer->append(scores);  writer->finish();
class CF_EXPORT RowWriter {
 public:
  virtual ~RowWriter() = default;
  /// Rows [n, columns].
  void append(const at::Tensor& rows) { append(rows, {}); }
  /// The same with texts for the leading columns that create_rows() was given names of.
  virtual void append(const at::Tensor& rows, const TextColumns& texts) = 0;
  virtual void finish() = 0;
};

/// The name is one of those that open_rows() reads, in upper or lower case.
CF_EXPORT bool is_row_file(const std::filesystem::path& path);
/// Of these, the ones of text: .csv, .tsv, .txt, each also with .gz, and "-".
CF_EXPORT bool is_text_file(const std::filesystem::path& path);
/// ConfigError unless is_row_file().
CF_EXPORT void check_row_file(const std::filesystem::path& path);

/// A reader chosen by the file's extension: .csv, .tsv, .txt or .npy, each also with .gz; .npz, where
/// "FILE.npz:NAME" names one of several arrays; "-" is CSV from the standard input. ConfigError for
/// any other.
CF_EXPORT std::unique_ptr<RowReader> open_rows(const std::filesystem::path& path,
                                               const FileOptions& options = {});
/// A writer chosen likewise: .csv and .txt (commas), .tsv (tabs), each also with .gz; .npy; "-" is CSV to
/// the standard output, which gets the rows as they come. `dtype` is that of an .npy file; text keeps
/// the precision of the rows appended. `texts` names columns of text that stand before the others;
/// ConfigError where the file can hold numbers only.
CF_EXPORT std::unique_ptr<RowWriter> create_rows(const std::filesystem::path& path,
                                                 const std::vector<std::string>& columns,
                                                 at::ScalarType dtype,
                                                 const std::vector<std::string>& texts = {});

/// All rows that `reader` still has.
CF_EXPORT at::Tensor read_all(RowReader& reader);

/// Numbers of the `wanted` columns among `names`, for readers and tables. `source` is the file's
/// name for messages. ConfigError: no such column (with the nearest name), a name that two columns
/// have (among all of them where `wanted` is empty), a column wanted twice.
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
                    std::pair{"semicolon", CsvDelimiter::kSemicolon},
                    std::pair{"whitespace", CsvDelimiter::kWhitespace}};
}

constexpr auto enum_names(DecimalMark) {
  return std::array{std::pair{"auto", DecimalMark::kAuto}, std::pair{"point", DecimalMark::kPoint},
                    std::pair{"comma", DecimalMark::kComma}};
}

constexpr auto enum_names(TextEncoding) {
  return std::array{std::pair{"auto", TextEncoding::kAuto}, std::pair{"utf8", TextEncoding::kUtf8},
                    std::pair{"latin1", TextEncoding::kLatin1}};
}

constexpr auto enum_names(Compression) {
  return std::array{std::pair{"none", Compression::kNone}, std::pair{"gzip", Compression::kGzip},
                    std::pair{"zip", Compression::kZip}};
}

constexpr auto enum_names(BadCells) {
  return std::array{std::pair{"refuse", BadCells::kRefuse},
                    std::pair{"missing_as_nan", BadCells::kMissingAsNan},
                    std::pair{"all_as_nan", BadCells::kAllAsNan}};
}

constexpr auto enum_names(CellKind) {
  return std::array{std::pair{"number", CellKind::kNumber},
                    std::pair{"boolean", CellKind::kBoolean}, std::pair{"date", CellKind::kDate},
                    std::pair{"category", CellKind::kCategory}};
}

}  // namespace contraflow::data
