#include "contraflow/data/survey.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string_view>
#include <unordered_set>

#include "contraflow/core/error.h"
#include "contraflow/data/cells.h"
#include "contraflow/data/csv_records.h"
#include "contraflow/data/npy.h"

namespace contraflow::data {
namespace {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// The digits of an integer that float64 does not have.
bool is_rounded_integer(std::string_view field, double number) {
  if (!(std::abs(number) >= 0x1p53)) return false;
  const std::string_view digits =
      field.substr(std::min(field.find_first_not_of("+-0"), field.size()));
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return false;
  std::array<char, 400> own{};  // the largest float64 has 309 digits
  const int size = std::snprintf(own.data(), own.size(), "%.0f", std::abs(number));
  return digits != std::string_view(own.data(), static_cast<size_t>(size));
}

// Counts the cells of one column of a file of text.
class ColumnCounter {
 public:
  ColumnCounter(std::string name, int64_t number, bool unnamed) {
    survey_.name = std::move(name);
    survey_.number = number;
    survey_.unnamed = unnamed;
  }

  void count(std::string_view field, const MissingMarks& missing, CsvRecords& records) {
    const DecimalMark decimal = records.format().decimal;
    const auto number = as_number(field, decimal);
    if (number ? std::isnan(*number) || missing.matches(*number)
               : missing.matches(field, decimal)) {
      ++survey_.missing;
      return;
    }
    if (!survey_.more_distinct) add_distinct(field, records);
    if (number && std::isfinite(*number)) {
      ++survey_.numbers;
      if (is_rounded_integer(field, *number)) ++survey_.inexact;
      return;
    }
    if (survey_.first_bad_line == 0) {
      survey_.first_bad = records.text(field.substr(0, kLongest));
      survey_.first_bad_line = records.line();
    }
    ++(number              ? survey_.infinite
       : as_boolean(field) ? survey_.booleans
       : as_date(field)    ? survey_.dates
                           : survey_.texts);
  }

  ColumnSurvey take() { return std::move(survey_); }

 private:
  static constexpr size_t kLongest = 256;

  void add_distinct(std::string_view field, CsvRecords& records) {
    if (seen_.find(field) != seen_.end()) return;
    survey_.more_distinct =
        field.size() > kLongest || survey_.distinct.size() >= ColumnSurvey::kMostDistinct;
    if (survey_.more_distinct) return;
    seen_.emplace(field);
    survey_.distinct.push_back(records.text(field));
  }

  ColumnSurvey survey_;
  std::unordered_set<std::string, TextHash, std::equal_to<>> seen_;
};

TableSurvey survey_text(const std::filesystem::path& path, const FileOptions& options) {
  CsvRecords records(path, options);
  const MissingMarks missing(options.missing);
  std::vector<ColumnCounter> columns;
  for (size_t c = 0; c < records.names().size(); ++c) {
    columns.emplace_back(records.names()[c], static_cast<int64_t>(c), records.unnamed()[c]);
  }
  TableSurvey out;
  for (; records.next(); ++out.rows) {
    const std::vector<std::string_view>& fields = records.fields();
    if (fields.size() == columns.size()) {
      for (size_t c = 0; c < columns.size(); ++c)
        columns[c].count(trim(fields[c]), missing, records);
    } else if (++out.bad_rows == 1) {
      const std::string what = records.problem().empty()
                                   ? "expected " + std::to_string(columns.size()) +
                                         " fields, got " + std::to_string(fields.size())
                                   : records.problem();
      out.first_bad_row = "line " + std::to_string(records.line()) + " (row " +
                          std::to_string(records.row()) + "): " + what;
    }
  }
  if (out.rows == 0) {
    fail<IoError>("survey", records.name(), "rows of data", "a header only",
                  "Check that the file was written completely.");
  }
  for (ColumnCounter& column : columns) out.columns.push_back(column.take());
  out.format = records.format();
  out.notes = records.notes();
  return out;
}

TableSurvey survey_arrays(const std::filesystem::path& path, const FileOptions& options) {
  constexpr int64_t kChunkRows = 4096;
  NpyReader reader(path, options);
  TableSurvey out;
  for (size_t c = 0; c < reader.columns().size(); ++c) {
    out.columns.push_back({.name = reader.columns()[c], .number = reader.numbers()[c]});
  }
  for (at::Tensor x = reader.next(kChunkRows); x.size(0) > 0; x = reader.next(kChunkRows)) {
    out.rows += x.size(0);
    if (out.columns.empty()) continue;
    const at::Tensor counts = at::isfinite(x).sum(0);
    for (size_t c = 0; c < out.columns.size(); ++c) {
      ColumnSurvey& column = out.columns[c];
      const auto numbers = counts[static_cast<int64_t>(c)].item<int64_t>();
      column.numbers += numbers;
      column.missing += x.size(0) - numbers;
      if (reader.integers(c) && options.missing.empty()) column.inexact = column.missing;
    }
  }
  out.format = reader.format();
  out.notes = reader.notes();
  return out;
}

}  // namespace

CellKind ColumnSurvey::suggestion() const {
  const int64_t all = numbers + infinite + booleans + dates + texts;
  if (numbers + infinite == all) return CellKind::kNumber;
  if (booleans == all) return CellKind::kBoolean;
  if (dates == all) return CellKind::kDate;
  return CellKind::kCategory;
}

TableSurvey survey_rows(const std::filesystem::path& path, FileOptions options) {
  check_row_file(path);
  options.columns.clear();
  options.keep.clear();
  options.cells.clear();
  options.bad_cells = BadCells::kAllAsNan;
  return is_text_file(path) ? survey_text(path, options) : survey_arrays(path, options);
}

}  // namespace contraflow::data
