#include "cli/row_feed.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/error.h"
#include "contraflow/data/rows.h"

namespace contraflow::cli {
namespace {

bool has_generated_names(const std::vector<std::string>& names) {
  for (size_t c = 0; c < names.size(); ++c) {
    if (names[c] != "column_" + std::to_string(c)) return false;
  }
  return true;
}

[[noreturn]] void fail_width(const FeedArguments& a, size_t wanted, size_t got) {
  fail<ConfigError>(a.command, a.input,
                    std::to_string(wanted) + " columns (those of the training, in its order)",
                    std::to_string(got), "Choose them with --columns, by name or number from 0.");
}

/// Opens the input so that it yields the columns of the model in the model's order.
std::unique_ptr<data::RowReader> open_input(const FeedArguments& a, const DataColumns& columns) {
  const std::vector<std::string> wanted = columns.layout().to_read(/*with_weight=*/false);
  data::FileOptions options = a.file;
  options.columns = a.columns;
  if (!a.columns.empty()) {
    if (a.columns.size() != wanted.size()) fail_width(a, wanted.size(), a.columns.size());
    return data::open_rows(a.input, options);
  }
  auto reader = data::open_rows(a.input, options);
  const std::vector<std::string>& names = reader->columns();
  if (names.empty()) {
    fail<ConfigError>(a.command, a.input, "a table",
                      c10::str("events of shape ", at::IntArrayRef(reader->event_shape())),
                      "Give one row per event.");
  }
  if (has_generated_names(names)) {
    if (names.size() != wanted.size()) fail_width(a, wanted.size(), names.size());
    return reader;
  }
  options.columns = wanted;
  return data::open_rows(a.input, options);
}

RowFeed file_feed(const FeedArguments& a, const DataColumns& columns) {
  const std::shared_ptr<data::RowReader> reader = open_input(a, columns);
  const data::RowLayout layout = columns.layout();
  const auto next = [reader, layout, name = a.input](int64_t first_row, int64_t most) {
    return layout.to_batch(reader->next(most), at::kDouble, name, first_row, /*with_weight=*/false);
  };
  return {a.input, next, [reader](int64_t) { return reader->fraction_read(); }};
}

RowFeed split_feed(const FeedArguments& a, const ModelFile& model) {
  const auto dataset = std::make_shared<data::Dataset>(open_model_data(model));
  const data::Source& source = split_of(*dataset, a.split);
  const int64_t all = source.size().value_or(0);
  if (all == 0) {
    fail<ConfigError>(a.command, "--split " + a.split, "a split with an end", "an endless stream",
                      "Choose test or validation.");
  }
  const auto next = [dataset, &source, all](int64_t first_row, int64_t most) {
    return source.rows(first_row, std::min(all, first_row + most));
  };
  const auto fraction = [all](int64_t rows) {
    return static_cast<double>(rows) / static_cast<double>(all);
  };
  return {model.config.data.name + " (" + a.split + ")", next, fraction};
}

}  // namespace

RowFeed open_feed(const FeedArguments& a, const ModelFile& model) {
  if (a.input.empty() == a.split.empty()) {
    fail<ConfigError>(a.command, "INPUT", "a file of rows, or --split",
                      a.input.empty() ? "neither" : "both", "Name one of the two.");
  }
  if (a.input.empty() && !a.columns.empty()) {
    fail<ConfigError>(a.command, "--columns", "a file to choose columns of", "--split",
                      "Drop --columns.");
  }
  return a.input.empty() ? split_feed(a, model) : file_feed(a, model.columns);
}

}  // namespace contraflow::cli
