#include "contraflow/data/table_cells.h"

#include <algorithm>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

const ColumnSurvey& survey_of(const TableSurvey& survey, const std::string& name) {
  for (const ColumnSurvey& column : survey.columns) {
    if (column.name == name) return column;
  }
  fail<ConfigError>("data", name, "a column of the file", "none of this name", "Correct the name.");
}

std::string words_of(const ColumnSurvey& column) {
  const std::string count = column.more_distinct
                                ? "more than " + format_count(std::ssize(column.distinct))
                                : format_count(std::ssize(column.distinct));
  return "words, " + count + " different ones such as " +
         in_quotes(column.first_bad.empty() ? column.distinct.front() : column.first_bad);
}

std::string place_of(const DataOptions& options, const ColumnSurvey& column) {
  std::string out = options.name;
  if (column.first_bad_line > 0) out += ", line " + std::to_string(column.first_bad_line);
  return out + ", column " + in_quotes(column.name);
}

std::string inexact_text(const ColumnSurvey& column, int64_t rows) {
  return "integers beyond 2^53 in " + format_count(column.inexact) + " of " + format_count(rows) +
         " rows, which float64 cannot tell apart";
}

// Why a column cannot be modelled as numbers; empty where it can.
std::string reason_against(const ColumnSurvey& column, int64_t rows) {
  if (column.suggestion() == CellKind::kCategory) {
    return words_of(column) + "; label = " + in_quotes(column.name) + " would condition on them";
  }
  if (column.inexact > 0) {
    return inexact_text(column, rows) + ": subtract an offset, or write rounded ones";
  }
  if (2 * column.missing > rows) {
    return "missing in " + format_count(column.missing) + " of " + format_count(rows) + " rows";
  }
  return "";
}

CellReading reading_of_label(const ColumnSurvey& column, const DataOptions& options) {
  if (column.suggestion() == CellKind::kNumber) return {};
  if (column.more_distinct) {
    fail<ConfigError>("data", place_of(options, column), "the word of a class", words_of(column),
                      "Condition on a column of fewer classes.");
  }
  std::vector<std::string> words = column.distinct;
  std::sort(words.begin(), words.end());
  return {CellKind::kCategory, std::move(words)};
}

CellReading reading_of_numbers(const ColumnSurvey& column, int64_t rows,
                               const DataOptions& options) {
  const CellKind kind = column.suggestion();
  if (column.inexact > 0) {
    fail<DomainError>("data", place_of(options, column), "integers within 2^53",
                      inexact_text(column, rows), "Subtract an offset, or write rounded ones.");
  }
  if (kind != CellKind::kCategory) return {kind, {}};
  fail<DomainError>("data", place_of(options, column), "numbers, dates, or true and false",
                    words_of(column),
                    "Take it out, or condition on it with label = " + in_quotes(column.name) + ".");
}

void add(Columns& columns, const std::string& name, const CellReading& reading) {
  if (reading.kind == CellKind::kNumber) return;
  columns.cells.push_back({name, reading.kind, reading.categories});
}

}  // namespace

void decide_cells(const TableSurvey& survey, const DataOptions& options, Columns& columns) {
  columns.missing = options.missing_marks;
  std::vector<std::string> kept;
  for (const std::string& name : columns.names) {
    const ColumnSurvey& column = survey_of(survey, name);
    const std::string reason = reason_against(column, survey.rows);
    const bool chosen = !options.columns.empty() || options.kinds.contains(name);
    if (!reason.empty() && !chosen) {
      columns.left_out.push_back({name, reason});
      continue;
    }
    add(columns, name, reading_of_numbers(column, survey.rows, options));
    kept.push_back(name);
  }
  columns.names = kept;
  for (const std::string& name : columns.condition) {
    add(columns, name, reading_of_numbers(survey_of(survey, name), survey.rows, options));
  }
  if (!columns.label.empty()) {
    add(columns, columns.label, reading_of_label(survey_of(survey, columns.label), options));
  }
  if (!columns.names.empty()) return;
  fail<DomainError>("data", options.name, "a column of numbers to model",
                    columns.left_out.empty()
                        ? "none"
                        : columns.left_out.front().name + ": " + columns.left_out.front().reason,
                    "Check that this is the right file.");
}

void use_cells(const Columns& columns, FileOptions& file) {
  for (const NamedCells& cells : columns.cells) {
    file.cells[cells.name] = {cells.kind, cells.categories};
  }
  file.missing = columns.missing;
}

std::vector<std::string> unnamed_columns(const TableSurvey& survey) {
  std::vector<std::string> out;
  if (!survey.format.header) return out;  // of a file without names an empty one says nothing
  for (const ColumnSurvey& column : survey.columns) {
    if (column.unnamed) out.push_back(column.name);
  }
  return out;
}

}  // namespace contraflow::data
