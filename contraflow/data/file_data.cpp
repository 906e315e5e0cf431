#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/cells.h"
#include "contraflow/data/choose_columns.h"
#include "contraflow/data/column_dataset.h"
#include "contraflow/data/data_entries.h"
#include "contraflow/data/images/image_arrays.h"
#include "contraflow/data/images/image_dataset.h"
#include "contraflow/data/message.h"
#include "contraflow/data/rows.h"
#include "contraflow/data/survey.h"
#include "contraflow/data/table_cells.h"
#include "contraflow/data/table_dataset.h"

namespace contraflow::data {
namespace {

// Columns in memory that a data set needs: those of the model, the weight, and what splits the rows.
std::vector<std::string> to_read(const Columns& columns, const SplitColumn& split) {
  std::vector<std::string> out = columns.to_read();
  const bool more =
      !split.name.empty() && std::find(out.begin(), out.end(), split.name) == out.end();
  if (more) out.push_back(split.name);
  return out;
}

SplitColumn split_column(const std::vector<std::string>& names, const DataOptions& options) {
  const auto named = [&](SplitBy by, const std::string& wanted) -> SplitColumn {
    const int64_t number = find_columns(names, {wanted}, options.name).front();
    return {by, names[static_cast<size_t>(number)]};
  };
  if (!options.group.empty()) return named(SplitBy::kGroup, options.group);
  if (!options.time.empty()) return named(SplitBy::kTime, options.time);
  return {};
}

// Weights of a file of their own, as a column of the table.
void add_weights(Table& table, Columns& columns, const std::string& file) {
  const at::Tensor weight = read_weight_file(file, table.rows.size(0), table.source);
  columns.weight = file;
  table.columns.push_back(file);
  table.rows = at::cat({table.rows.to(at::kDouble), weight.to(at::kDouble).unsqueeze(1)}, 1);
}

// Integers of one number of levels, such as the pixels of an image, one to a column.
Dataset open_levels(const Columns& chosen, FileOptions file, const DataOptions& options,
                    at::ScalarType dtype) {
  Columns columns = chosen;
  columns.levels = options.levels;
  file.columns = columns.to_read();
  return table_dataset(read_table(options.name, file), columns, {std::ssize(columns.names)},
                       options, dtype);
}

// The values [N] of a column of words that groups rows: equal words, equal numbers; NaN where one is
// missing.
at::Tensor numbers_of(const std::vector<std::string>& words, const MissingMarks& missing) {
  const auto is_missing = [&](std::string_view word) {
    const auto number = as_number(word);
    return number ? std::isnan(*number) || missing.matches(*number)
                  : missing.matches(word, DecimalMark::kPoint);
  };
  at::Tensor out = at::empty({std::ssize(words)}, at::kDouble);
  double* value = out.data_ptr<double>();
  for (const std::string& word : words) {
    uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
    for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    *value++ = is_missing(trim(word)) ? std::numeric_limits<double>::quiet_NaN()
                                      : static_cast<double>(hash >> 11U);
  }
  return out;
}

void check_none_missing(const at::Tensor& values, const std::string& name,
                        const std::string& source) {
  const auto found = first_bad(values, values.isnan());
  if (!found) return;
  fail<DomainError>(
      "data", source + ", row " + std::to_string(found->row) + ", column " + in_quotes(name),
      "a value", "a missing one", "Complete the row, or set data.missing to \"drop\".");
}

// All rows of a file, and the words of a column that groups them as a last column of numbers.
Table read_rows(const FileOptions& file, const DataOptions& options, const std::string& words) {
  const auto reader = open_rows(options.name, file);
  std::vector<at::Tensor> parts;
  std::vector<std::string> all;
  constexpr int64_t kChunkRows = 16384;
  do {
    parts.push_back(reader->next(kChunkRows).clone());
    if (!words.empty() && parts.back().size(0) > 0) {
      all.insert(all.end(), reader->kept().front().begin(), reader->kept().front().end());
    }
  } while (parts.back().size(0) > 0);
  Table out{reader->columns(), at::cat(parts), options.name};
  if (words.empty()) return out;
  out.columns.push_back(words);
  const at::Tensor groups = numbers_of(all, MissingMarks(options.missing_marks));
  if (options.missing == MissingRows::kError) check_none_missing(groups, words, options.name);
  out.rows = at::cat({out.rows, groups.unsqueeze(1)}, 1);
  return out;
}

// Without the rows that miss a value; what was left out in a line.
std::string drop_missing(Table& table) {
  const at::Tensor missing = table.rows.isnan();
  const at::Tensor bad = missing.any(1);
  const auto count = bad.sum().item<int64_t>();
  if (count == 0) return "";
  const int64_t rows = table.rows.size(0);
  std::vector<std::string> places;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    const auto own = missing.select(1, static_cast<int64_t>(c)).sum().item<int64_t>();
    if (own > 0) places.push_back(table.columns[c] + " " + format_count(own));
  }
  table.rows = table.rows.index_select(0, bad.logical_not().nonzero().squeeze(1));
  return "dropped " + format_count(count) + " of " + format_count(rows) +
         " rows with a missing value (" + shorten(join(places, ", "), 200) + ")";
}

FileOptions file_options(const DataOptions& options) {
  FileOptions out;
  out.header = options.header;
  out.delimiter = options.delimiter;
  out.decimal = options.decimal;
  out.encoding = options.encoding;
  out.missing = options.missing_marks;
  return out;
}

// What the cells of the column that splits the rows are; numbers where no column does.
CellKind split_cells(const TableSurvey& survey, const SplitColumn& split) {
  for (const ColumnSurvey& column : survey.columns) {
    if (!split.name.empty() && column.name == split.name) return column.suggestion();
  }
  return CellKind::kNumber;
}

// Columns chosen by name or number.
Dataset open_table(const RowReader& opened, FileOptions file, const DataOptions& options,
                   at::ScalarType dtype, const KnownData* known) {
  Columns columns = choose_columns(opened.columns(), options);
  if (options.levels > 0) return open_levels(columns, file, options, dtype);
  file = file_options(options);
  const SplitColumn split = split_column(opened.columns(), options);
  const TableSurvey survey = survey_rows(options.name, file);
  if (known != nullptr) {
    columns.names = known->columns.names;
  } else {
    decide_cells(survey, options, columns);
  }
  use_cells(known != nullptr ? known->columns : columns, file);
  file.columns = to_read(columns, split);
  const CellKind cells = split_cells(survey, split);
  const bool words = split.by == SplitBy::kGroup && cells == CellKind::kCategory;
  if (cells == CellKind::kDate || cells == CellKind::kBoolean) {
    file.cells.try_emplace(split.name, CellReading{cells, {}});
  }
  if (words) {
    std::erase(file.columns, split.name);
    file.keep = {split.name};
  }
  const bool drop = options.missing == MissingRows::kDrop;
  file.bad_cells = drop ? BadCells::kMissingAsNan : BadCells::kRefuse;
  Table table = read_rows(file, options, words ? split.name : "");
  table.unnamed = unnamed_columns(survey);
  const bool own_file = is_row_file(options.weight);
  if (own_file) add_weights(table, columns, options.weight);
  const std::string dropped = drop_missing(table);
  columns.image = image_of(options, {std::ssize(columns.names)});
  Dataset out = column_dataset(table, columns, split, options, known);
  if (own_file) out.columns.weight.clear();
  out.columns.file_numbers =
      find_columns(opened.columns(), out.columns.to_read(/*with_weight=*/false), options.name);
  if (!dropped.empty()) out.notes.push_back(dropped);
  out.notes.insert(out.notes.end(), survey.notes.begin(), survey.notes.end());
  return out;
}

// Events of several dimensions, which have no columns to choose from.
Dataset open_events(const RowReader& opened, const FileOptions& file, const DataOptions& options,
                    at::ScalarType dtype) {
  const bool weight_column = !options.weight.empty() && !is_row_file(options.weight);
  if (!options.condition.empty() || !options.label.empty() || weight_column ||
      !options.columns.empty()) {
    fail<ConfigError>(
        "data", options.name, "a table, to choose columns of",
        "events of shape " + c10::str(at::IntArrayRef(opened.event_shape())),
        "Remove columns, condition and label; weights may come from a file of their own.");
  }
  const Table table = read_table(options.name, file);
  const Columns columns{.names = table.columns, .levels = options.levels};
  if (options.flatten) {
    Dataset flat = table_dataset(table, columns, {std::ssize(table.columns)}, options, dtype);
    if (opened.event_shape().size() == 3) flat.columns.image = opened.event_shape();
    return flat;
  }
  Dataset out = table_dataset(table, columns, opened.event_shape(), options, dtype);
  out.columns.names.clear();
  return out;
}

Dataset open_rows_file(const DataOptions& options, at::ScalarType dtype, const KnownData* known) {
  if (options.name == "-") {
    fail<ConfigError>("data", "name", "a file, which is read more than once", "the standard input",
                      "Save it to a file first.");
  }
  FileOptions file = file_options(options);
  file.keep_type = true;
  const auto opened = open_rows(options.name, file);
  const bool events = opened->columns().empty();
  return events ? open_events(*opened, file, options, dtype)
                : open_table(*opened, file, options, dtype, known);
}

const std::vector<std::string> kColumnKeys{
    "columns", "exclude", "kinds", "condition", "label",   "weight",       "levels",
    "bounds",  "image",   "group", "time",      "missing", "missing_marks"};

std::vector<std::string> with_keys(const std::vector<std::string>& more) {
  std::vector<std::string> out = kColumnKeys;
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

// Arrays of bytes that are images; with another number of levels they are events like others.
Dataset open_arrays_or_images(const DataOptions& options, at::ScalarType dtype,
                              const KnownData* known) {
  const bool bytes = options.levels == 0 || options.levels == 256;
  if (!bytes || !images::is_image_array(options.name)) {
    detail::check_taken("array", with_keys({"flatten"}), options);
    return open_rows_file(options, dtype, known);
  }
  std::vector<std::string> keys = images::kImageKeys;
  keys.emplace_back("levels");
  detail::check_taken("images", keys, options);
  return images::image_dataset(images::read_image_arrays(options.name), options, dtype, known);
}

}  // namespace

DataEntry detail::csv_entry() {
  return {.name = "csv",
          .kind = "table",
          .summary = "a table, read whole",
          .source = "",
          .path = "FILE.csv, .tsv or .txt, each also .gz",
          .options = with_keys({"header", "delimiter", "decimal", "encoding"}),
          .takes = [](const std::string& name) { return is_text_file(name); },
          .open = open_rows_file};
}

DataEntry detail::npy_entry() {
  return {.name = "npy",
          .kind = "array",
          .summary =
              "an array of NumPy: [rows], [rows, columns], or [rows] and the shape of an event; "
              "bytes [N, H, W], [N, C, H, W] or [N, H, W, C] are images",
          .source = "",
          .path = "FILE.npy, .npy.gz or .npz",
          .options = with_keys({"flatten", "bits", "flip", "crop_padding"}),
          .takes = [](const std::string& name) { return is_row_file(name) && !is_text_file(name); },
          .open = open_arrays_or_images};
}

}  // namespace contraflow::data
