#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/csv.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

constexpr const char* kReadCsv = "read_csv";

char delimiter_of(const std::filesystem::path& path, CsvDelimiter delimiter) {
  switch (delimiter) {
    case CsvDelimiter::kComma:
      return ',';
    case CsvDelimiter::kTab:
      return '\t';
    case CsvDelimiter::kSemicolon:
      return ';';
    case CsvDelimiter::kAuto:
      break;
  }
  return path.extension() == ".tsv" ? '\t' : ',';
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

enum class Parsed { kNumber, kNotANumber, kOverflow };

// Reads a number at the front of [at, end) and moves `at` past it.
Parsed parse_number(const char*& at, const char* end, double& value) {
  const char* start = at;
  if (end - start > 1 && *start == '+' && start[1] != '-') ++start;  // from_chars takes no plus
  const auto [stop, error] = std::from_chars(start, end, value);
  if (error == std::errc::invalid_argument) return Parsed::kNotANumber;
  at = stop;
  if (error == std::errc::result_out_of_range) {
    // Too small for float64 rounds to zero or a denormal; the wider type tells it from too large.
    long double wide = 0.0L;
    const auto retry = std::from_chars(start, end, wide);
    value = static_cast<double>(wide);
    if (retry.ec != std::errc() || std::isinf(value)) return Parsed::kOverflow;
  }
  return Parsed::kNumber;
}

bool is_number(std::string_view field) {
  field = trim(field);
  const char* at = field.data();
  const char* end = at + field.size();
  double value = 0.0;
  return !field.empty() && parse_number(at, end, value) != Parsed::kNotANumber && at == end;
}

bool stands_for_missing(std::string_view field) {
  std::string lower(field);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 8> kMarks{"", "na", "n/a", "null", "none", "?", "-", "."};
  return std::find(kMarks.begin(), kMarks.end(), lower) != kMarks.end();
}

bool is_blank(const CsvScanner& scanner) {  // tabs between no values are a row of missing values
  const char* spaces = scanner.delimiter() == '\t' ? " " : " \t";
  return scanner.record().find_first_not_of(spaces) == std::string_view::npos;
}

}  // namespace

CsvReader::CsvReader(const std::filesystem::path& path, const FileOptions& options)
    : scanner_(path, delimiter_of(path, options.delimiter), options.max_record_bytes) {
  read_first_record(options.header);
  select(options.columns);
}

void CsvReader::read_first_record(CsvHeader header) {
  if (!scanner_.next() || is_blank(scanner_)) {
    fail<IoError>(kReadCsv, scanner_.name() + ", line 1", "a header or a row of numbers",
                  "an empty file or a blank line", "Check that the file was written completely.");
  }
  names_ = scanner_.fields();
  const auto numbers = std::count_if(names_.begin(), names_.end(), is_number);
  const auto words = std::count_if(names_.begin(), names_.end(), [](const std::string& field) {
    return !is_number(field) && !stands_for_missing(trim(field));
  });
  if (header == CsvHeader::kAuto && numbers > 0 && words > 0) {
    fail<IoError>(kReadCsv, scanner_.name() + ", line 1", "either column names or numbers",
                  "both: " + in_quotes(scanner_.record()),
                  "Say which it is with header = \"yes\" or header = \"no\".");
  }
  first_is_data_ = header == CsvHeader::kNo || (header == CsvHeader::kAuto && numbers > 0);
  for (size_t c = 0; c < names_.size(); ++c) {
    const std::string name(first_is_data_ ? std::string_view() : trim(names_[c]));
    names_[c] = name.empty() ? "column_" + std::to_string(c) : name;
  }
}

void CsvReader::select(const std::vector<std::string>& wanted) {
  slot_.assign(names_.size(), -1);
  for (const int64_t c : find_columns(names_, wanted, scanner_.name())) {
    slot_[static_cast<size_t>(c)] = static_cast<int64_t>(columns_.size());
    columns_.push_back(names_[static_cast<size_t>(c)]);
  }
}

std::vector<int64_t> CsvReader::event_shape() const {
  return {static_cast<int64_t>(columns_.size())};
}

// Moves to the next row of data; blank lines may only end the file.
bool CsvReader::advance() {
  if (first_is_data_) {
    first_is_data_ = false;
    return true;
  }
  if (!scanner_.next()) return false;
  if (!is_blank(scanner_)) return true;
  const int64_t blank = scanner_.line();
  while (scanner_.next()) {
    if (is_blank(scanner_)) continue;
    fail<IoError>(kReadCsv, scanner_.name() + ", line " + std::to_string(blank), "a row of numbers",
                  "a blank line", "Remove it; blank lines may stand at the end of the file only.");
  }
  return false;
}

at::Tensor CsvReader::next(int64_t max_rows) {
  if (max_rows < 1) {
    fail<ShapeError>(kReadCsv, "max_rows", ">= 1", std::to_string(max_rows), "Ask for some rows.");
  }
  const auto width = static_cast<int64_t>(columns_.size());
  at::Tensor out = at::empty({max_rows, width}, at::TensorOptions().dtype(at::kDouble));
  double* row = out.data_ptr<double>();
  int64_t count = 0;
  for (; count < max_rows && advance(); ++count, row += width) {
    if (scanner_.quoted()) {
      parse_quoted(row);
    } else {
      parse_plain(row);
    }
    ++rows_read_;
  }
  if (rows_read_ == 0) {
    fail<IoError>(kReadCsv, scanner_.name(), "rows of data", "a header only",
                  "Check that the file was written completely.");
  }
  return out.narrow(0, 0, count);
}

void CsvReader::parse_plain(double* out) const {
  const std::string_view record = scanner_.record();
  const char* at = record.data();
  const char* end = at + record.size();
  const auto columns = static_cast<int64_t>(slot_.size());
  for (int64_t c = 0; c < columns; ++c) {
    if (slot_[static_cast<size_t>(c)] >= 0) {
      out[slot_[static_cast<size_t>(c)]] = number(at, end, c);
    } else {
      at = std::find(at, end, scanner_.delimiter());
    }
    if ((at == end) != (c + 1 == columns)) fail_count(c + 1);
    if (at != end) ++at;
  }
}

void CsvReader::parse_quoted(double* out) const {
  const std::vector<std::string> fields = scanner_.fields();
  if (fields.size() != slot_.size()) fail_count(static_cast<int64_t>(fields.size()));
  for (size_t c = 0; c < fields.size(); ++c) {
    if (slot_[c] < 0) continue;
    const char* at = fields[c].data();
    const char* end = at + fields[c].size();
    out[slot_[c]] = number(at, end, static_cast<int64_t>(c));
    if (at != end) fail_value(fields[c], static_cast<int64_t>(c));
  }
}

// The number at `at`; moves `at` to the delimiter or to `end`.
double CsvReader::number(const char*& at, const char* end, int64_t column) const {
  const char delimiter = scanner_.delimiter();
  const char* start = at;
  const auto is_space = [&](char c) { return c == ' ' || (c == '\t' && delimiter != '\t'); };
  while (at != end && is_space(*at)) ++at;
  double value = 0.0;
  if (parse_number(at, end, value) == Parsed::kNumber && std::isfinite(value)) {
    while (at != end && is_space(*at)) ++at;
    if (at == end || *at == delimiter) return value;
  }
  const char* stop = std::find(start, end, delimiter);
  fail_value({start, static_cast<size_t>(stop - start)}, column);
}

std::string CsvReader::place(int64_t column) const {
  return scanner_.name() + ", line " + std::to_string(scanner_.line()) + " (row " +
         std::to_string(rows_read_) + "), column " + std::to_string(column) + " " +
         in_quotes(names_[static_cast<size_t>(column)]);
}

void CsvReader::fail_value(std::string_view field, int64_t column) const {
  const std::string_view text = trim(field);
  const std::string shown = in_quotes(text);
  if (stands_for_missing(text)) {
    fail<DomainError>(kReadCsv, place(column), "a number", "a missing value " + shown,
                      "Remove or impute such rows, or leave the column out with columns = [...].");
  }
  if (is_number(text)) {
    fail<DomainError>(kReadCsv, place(column), "a finite number within float64", shown,
                      "Remove or impute such rows.");
  }
  fail<DomainError>(kReadCsv, place(column), "a number", shown,
                    "Select numeric columns with columns = [...], and check the delimiter (comma, "
                    "tab, semicolon) and that decimals have a point.");
}

void CsvReader::fail_count(int64_t got) const {
  const std::vector<std::string> fields = scanner_.fields();
  fail<IoError>(kReadCsv,
                scanner_.name() + ", line " + std::to_string(scanner_.line()) + " (row " +
                    std::to_string(rows_read_) + ")",
                std::to_string(slot_.size()) + " fields, as in line 1",
                std::to_string(std::max<int64_t>(got, static_cast<int64_t>(fields.size()))),
                "Complete or remove the row; the file may be cut off here.");
}

}  // namespace contraflow::data
