#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/error.h"
#include "contraflow/data/choose_columns.h"
#include "contraflow/data/column_dataset.h"
#include "contraflow/data/data_entries.h"
#include "contraflow/data/rows.h"
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

// Columns chosen by name or number.
Dataset open_table(const RowReader& opened, FileOptions file, const DataOptions& options,
                   at::ScalarType dtype, const KnownData* known) {
  Columns columns = choose_columns(opened.columns(), options);
  if (options.levels > 0) return open_levels(columns, file, options, dtype);
  const SplitColumn split = split_column(opened.columns(), options);
  if (known != nullptr) columns.names = known->columns.names;
  file.columns = to_read(columns, split);
  file.keep_type = false;
  Table table = read_table(options.name, file);
  const bool own_file = is_row_file(options.weight);
  if (own_file) add_weights(table, columns, options.weight);
  columns.image = image_of(options, {std::ssize(columns.names)});
  Dataset out = column_dataset(table, columns, split, options, known);
  if (own_file) out.columns.weight.clear();
  out.columns.file_numbers =
      find_columns(opened.columns(), out.columns.to_read(/*with_weight=*/false), options.name);
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
  Dataset out = table_dataset(table, columns, opened.event_shape(), options, dtype);
  out.columns.names.clear();
  return out;
}

Dataset open_rows_file(const DataOptions& options, at::ScalarType dtype, const KnownData* known) {
  FileOptions file;
  file.header = options.header;
  file.delimiter = options.delimiter;
  file.keep_type = true;
  const auto opened = open_rows(options.name, file);
  const bool events = opened->columns().empty();
  return events ? open_events(*opened, file, options, dtype)
                : open_table(*opened, file, options, dtype, known);
}

const std::vector<std::string> kColumnKeys{"columns", "exclude", "kinds",  "condition",
                                           "label",   "weight",  "levels", "bounds",
                                           "image",   "group",   "time"};

}  // namespace

DataEntry detail::csv_entry() {
  std::vector<std::string> keys = kColumnKeys;
  keys.insert(keys.end(), {"header", "delimiter"});
  return {.name = "csv",
          .kind = "table",
          .summary = "a table of numbers, read whole",
          .source = "",
          .path = "FILE.csv, .tsv or .txt",
          .options = keys,
          .takes = [](const std::string& name) { return is_text_file(name); },
          .open = open_rows_file};
}

DataEntry detail::npy_entry() {
  return {
      .name = "npy",
      .kind = "array",
      .summary = "an array of NumPy: [rows], [rows, columns], or [rows] and the shape of an event",
      .source = "",
      .path = "FILE.npy",
      .options = kColumnKeys,
      .takes = [](const std::string& name) { return is_row_file(name) && !is_text_file(name); },
      .open = open_rows_file};
}

}  // namespace contraflow::data
