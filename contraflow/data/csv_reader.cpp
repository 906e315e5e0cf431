#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "contraflow/core/error.h"
#include "contraflow/data/csv.h"
#include "contraflow/data/csv_cells.h"
#include "contraflow/data/csv_records.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

constexpr const char* kReadCsv = "read_csv";
constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

// The number at `at`, to the delimiter or to `end`, to which `at` moves; false for anything else.
inline bool plain_number(const char*& at, const char* end, char delimiter, double& value) {
  const auto is_space = [&](char c) { return c == ' ' || (c == '\t' && delimiter != '\t'); };
  while (at != end && is_space(*at)) ++at;
  if (parse_number(at, end, value) != Parsed::kNumber || !std::isfinite(value)) return false;
  while (at != end && is_space(*at)) ++at;
  return at == end || *at == delimiter;
}

}  // namespace

CsvReader::CsvReader(const std::filesystem::path& path, const FileOptions& options)
    : records_(std::make_unique<CsvRecords>(path, options)),
      cells_(std::make_unique<CsvCells>(options, *records_)),
      bad_cells_(options.bad_cells) {
  select(options);
}

CsvReader::~CsvReader() = default;

double CsvReader::fraction_read() const { return records_->fraction_read(); }
FileFormat CsvReader::format() const { return records_->format(); }
const std::vector<std::string>& CsvReader::notes() const { return records_->notes(); }

void CsvReader::select(const FileOptions& options) {
  const std::vector<std::string>& names = records_->names();
  slot_.assign(names.size(), -1);
  const FileFormat format = records_->format();
  plain_ = format.decimal == DecimalMark::kPoint && options.keep.empty() &&
           format.delimiter != CsvDelimiter::kWhitespace;
  for (const int64_t c : find_columns(names, options.columns, records_->name())) {
    slot_[static_cast<size_t>(c)] = static_cast<int64_t>(columns_.size());
    columns_.push_back(names[static_cast<size_t>(c)]);
    plain_ = plain_ && cells_->is_plain(static_cast<size_t>(c));
  }
  if (options.keep.empty()) return;
  for (const int64_t c : find_columns(names, options.keep, records_->name())) {
    keep_.push_back(static_cast<size_t>(c));
  }
}

std::vector<int64_t> CsvReader::event_shape() const {
  return {static_cast<int64_t>(columns_.size())};
}

at::Tensor CsvReader::next(int64_t max_rows) {
  if (max_rows < 1) {
    fail<ShapeError>(kReadCsv, "max_rows", ">= 1", std::to_string(max_rows), "Ask for some rows.");
  }
  const auto width = static_cast<int64_t>(columns_.size());
  at::Tensor out = at::empty({max_rows, width}, at::TensorOptions().dtype(at::kDouble));
  double* row = out.data_ptr<double>();
  bad_rows_.clear();
  kept_.assign(keep_.size(), {});
  int64_t count = 0;
  for (; count < max_rows && records_->next(); ++count, row += width) {
    if (!plain_ || records_->quoted() || !parse_plain(row)) parse_cells(row);
    ++rows_read_;
  }
  if (rows_read_ == 0) {
    fail<IoError>(kReadCsv, records_->name(), "rows of data", "a header only",
                  "Check that the file was written completely.");
  }
  return out.narrow(0, 0, count);
}

// The way of nearly all rows: numbers between delimiters. False for a row of which parse_cells() must tell
// what it is.
bool CsvReader::parse_plain(double* out) const {
  const std::string_view record = records_->record();
  const char* at = record.data();
  const char* end = at + record.size();
  const char delimiter = records_->delimiter();
  const size_t columns = slot_.size();
  for (size_t c = 0; c < columns; ++c) {
    if (slot_[c] >= 0) {
      if (!plain_number(at, end, delimiter, out[slot_[c]])) return false;
    } else {
      at = std::find(at, end, delimiter);
    }
    if ((at == end) != (c + 1 == columns)) return false;
    if (at != end) ++at;
  }
  return true;
}

void CsvReader::parse_cells(double* out) {
  const std::vector<std::string_view>& fields = records_->fields();
  if (!keep_.empty()) keep_texts(fields);
  if (fields.size() != slot_.size()) {
    if (bad_cells_ != BadCells::kAllAsNan) fail_count(fields);
    make_bad(out);
    return;
  }
  for (size_t c = 0; c < fields.size(); ++c) {
    if (slot_[c] >= 0) parse_cell(trim(fields[c]), c, out + slot_[c]);
  }
}

void CsvReader::parse_cell(std::string_view field, size_t column, double* out) {
  const CellState state = cells_->read(field, column, *out);
  if (state == CellState::kValue) return;
  *out = kNoValue;
  if (bad_cells_ == BadCells::kMissingAsNan && state == CellState::kMissing) return;
  const Complaint what = cells_->complaint(field, column);
  if (bad_cells_ != BadCells::kAllAsNan) {
    fail<DomainError>(kReadCsv, place(column), what.expected, what.got, what.remedy);
  }
  if (!bad_rows_.empty() && bad_rows_.back().row == records_->row()) return;
  bad_rows_.push_back(
      {records_->row(), place(column) + ": expected " + what.expected + ", got " + what.got});
}

// A row that does not have its fields: all of it is NaN.
void CsvReader::make_bad(double* out) {
  std::fill_n(out, columns_.size(), kNoValue);
  std::string what = records_->problem();
  if (what.empty()) {
    what = "expected " + std::to_string(slot_.size()) + " fields, got " +
           std::to_string(records_->fields().size());
  }
  bad_rows_.push_back({records_->row(), records_->name() + ", line " +
                                            std::to_string(records_->line()) + " (row " +
                                            std::to_string(records_->row()) + "): " + what});
}

void CsvReader::keep_texts(const std::vector<std::string_view>& fields) {
  for (size_t k = 0; k < keep_.size(); ++k) {
    kept_[k].push_back(keep_[k] < fields.size() ? records_->text(fields[keep_[k]]) : "");
  }
}

std::string CsvReader::place(size_t column) const {
  return records_->name() + ", line " + std::to_string(records_->line()) + " (row " +
         std::to_string(records_->row()) + "), column " + std::to_string(column) + " " +
         in_quotes(records_->names()[column]);
}

void CsvReader::fail_count(const std::vector<std::string_view>& fields) const {
  const bool ends_with_delimiter = fields.size() == slot_.size() + 1 && trim(fields.back()).empty();
  std::string remedy = "Complete or remove the row; the file may be cut off here.";
  if (fields.size() > slot_.size()) remedy = "Put fields that hold the delimiter into quotes.";
  if (ends_with_delimiter) remedy = "The row ends with a delimiter; remove it, or name the column.";
  fail<IoError>(kReadCsv,
                records_->name() + ", line " + std::to_string(records_->line()) + " (row " +
                    std::to_string(records_->row()) + ")",
                std::to_string(slot_.size()) + " fields, as in the first line",
                std::to_string(fields.size()), remedy);
}

}  // namespace contraflow::data
