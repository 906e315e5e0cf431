#include "contraflow/data/csv_cells.h"

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

// What to do about a cell that is not a number, after what it looks like.
std::string remedy_for_text(std::string_view field, DecimalMark decimal, char delimiter) {
  if (as_number(field, DecimalMark::kComma) && decimal != DecimalMark::kComma) {
    return "Write decimals with a point, or read them with decimal = \"comma\".";
  }
  if (as_number(field) && decimal == DecimalMark::kComma) {
    return "Decimals have a comma in this file; read it with decimal = \"point\" if that is wrong.";
  }
  if (as_boolean(field) || as_date(field)) {
    return "Leave the column out with columns = [...], or read it as a boolean or a date.";
  }
  constexpr std::string_view kDelimiters = ",;\t";
  const size_t other = field.find_first_of(kDelimiters);
  if (other != std::string_view::npos && field[other] != delimiter) {
    return "Select numeric columns with columns = [...], and check the delimiter (comma, tab, "
           "semicolon, whitespace).";
  }
  return "Correct or remove the row, or leave the column out with columns = [...].";
}

Complaint complain_about_number(std::string_view field, const std::string& shown, bool text_column,
                                DecimalMark decimal, char delimiter) {
  const auto number = as_number(field, decimal);
  if (number && !std::isfinite(*number)) {
    return {"a finite number within float64", shown, "Remove or impute such rows."};
  }
  const bool value_like = as_number(field, DecimalMark::kComma) || as_number(field) ||
                          as_boolean(field) || as_date(field);
  if (text_column && !value_like && field.find_first_of(",;\t") == std::string_view::npos) {
    return {"a number", shown + "; the column holds text",
            "Leave it out with columns = [...], or read it as a category."};
  }
  return {"a number", shown, remedy_for_text(field, decimal, delimiter)};
}

}  // namespace

void check_cell_readings(const FileOptions& options) {
  for (const auto& [name, reading] : options.cells) {
    const bool category = reading.kind == CellKind::kCategory;
    if (category != reading.categories.empty()) continue;
    fail<ConfigError>("rows", "cells " + in_quotes(name),
                      category ? "the categories of the column" : "categories for a category only",
                      category ? "none" : std::to_string(reading.categories.size()),
                      "Give kind = category and its list of texts.");
  }
}

CsvCells::CsvCells(const FileOptions& options, CsvRecords& records)
    : records_(records), missing_(options.missing), columns_(records.names().size()) {
  check_cell_readings(options);
  for (const auto& [name, reading] : options.cells) {
    for (const int64_t c : find_columns(records.names(), {name}, records.name())) {
      columns_[static_cast<size_t>(c)] = {reading.kind, Categories(reading.categories)};
    }
  }
}

bool CsvCells::is_plain(size_t column) const {
  return columns_[column].kind == CellKind::kNumber && !missing_.has_numbers();
}

CellState CsvCells::read(std::string_view field, size_t column, double& value) {
  // A text that is one of the categories is a value, even if it looks like a mark: NA may be a country.
  const Column& how = columns_[column];
  const CellState state = read_value(field, how, value);
  if (state == CellState::kValue && how.kind == CellKind::kNumber && missing_.matches(value)) {
    return CellState::kMissing;
  }
  if (state != CellState::kUnreadable) return state;
  return missing_.matches(field, records_.format().decimal) ? CellState::kMissing : state;
}

CellState CsvCells::read_value(std::string_view field, const Column& column, double& value) {
  const DecimalMark decimal = records_.format().decimal;
  std::optional<double> got;
  switch (column.kind) {
    case CellKind::kNumber:
      got = as_number(field, decimal);
      if (got && std::isnan(*got)) return CellState::kMissing;
      if (got && std::isinf(*got)) return CellState::kUnreadable;
      break;
    case CellKind::kBoolean:
      got = as_boolean(field);
      if (field == "1" || field == "0") got = field == "1" ? 1.0 : 0.0;
      break;
    case CellKind::kDate:
      got = as_date(field);
      break;
    case CellKind::kCategory:
      got = column.categories.find(records_.text(field), decimal);
      break;
  }
  if (!got) return CellState::kUnreadable;
  value = *got;
  return CellState::kValue;
}

Complaint CsvCells::complaint(std::string_view field, size_t column) {
  const std::string shown = in_quotes(records_.text(field));
  const FileFormat format = records_.format();
  const Column& how = columns_[column];
  if (missing_.matches(field, format.decimal)) {
    return {how.kind == CellKind::kNumber ? "a number" : "a value", "a missing value " + shown,
            "Remove or impute such rows, or leave the column out with columns = [...]."};
  }
  switch (how.kind) {
    case CellKind::kBoolean:
      return {"true or false, yes or no, t or f, 1 or 0", shown, "Correct or remove the row."};
    case CellKind::kDate:
      return {"a date in ISO 8601, such as 2024-02-29 or 2024-02-29T12:30:00Z", shown,
              "Correct or remove the row."};
    case CellKind::kCategory:
      return {"one of " + shorten(join(how.categories.texts(), ", "), 200), shown,
              did_you_mean(nearest_match(records_.text(field), how.categories.texts()),
                           "Correct or remove the row.")};
    case CellKind::kNumber:
      break;
  }
  return complain_about_number(field, shown, records_.text_columns()[column], format.decimal,
                               records_.delimiter());
}

}  // namespace contraflow::data
