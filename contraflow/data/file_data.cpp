#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/data/choose_columns.h"
#include "contraflow/data/data_entries.h"
#include "contraflow/data/rows.h"
#include "contraflow/data/table_dataset.h"

namespace contraflow::data {
namespace {

// Columns chosen by name or number.
Dataset open_table(const RowReader& opened, FileOptions file, const DataOptions& options,
                   at::ScalarType dtype) {
  Columns columns = choose_columns(opened.columns(), options);
  columns.levels = options.levels;
  file.columns = columns.to_read();
  return table_dataset(read_table(options.name, file), columns,
                       {static_cast<int64_t>(columns.names.size())}, options, dtype);
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

Dataset open_rows_file(const DataOptions& options, at::ScalarType dtype) {
  FileOptions file;
  file.header = options.header;
  file.delimiter = options.delimiter;
  file.keep_type = true;
  const auto opened = open_rows(options.name, file);
  const bool events = opened->columns().empty();
  return events ? open_events(*opened, file, options, dtype)
                : open_table(*opened, file, options, dtype);
}

const std::vector<std::string> kColumnKeys{"columns", "condition", "label", "weight",
                                           "levels",  "bounds",    "image"};

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
