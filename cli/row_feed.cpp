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

/// Columns of the file that are not the weight, in its order.
std::vector<std::string> all_but_weight(const FeedArguments& a,
                                        const std::vector<std::string>& names) {
  std::vector<std::string> out = names;
  if (!a.weight.empty()) {
    out.erase(out.begin() + data::find_columns(names, {a.weight}, a.input).front());
  }
  return out;
}

/// What the rows of the input must have: no condition where one is given for all of them.
data::RowLayout input_layout(const FeedArguments& a, const DataColumns& columns) {
  data::RowLayout layout = columns.layout();
  layout.weight = a.weight;
  if (a.given.defined()) {
    layout.condition.clear();
    layout.label.clear();
    layout.classes = 0;
  }
  return layout;
}

/// Columns of the input that are those of `layout`, in its order.
std::vector<std::string> model_columns(const FeedArguments& a, const data::RowLayout& layout) {
  const std::vector<std::string> wanted = layout.to_read(/*with_weight=*/false);
  std::vector<std::string> found = a.columns;
  if (found.empty()) {
    const auto reader = data::open_rows(a.input, a.file);
    const std::vector<std::string>& names = reader->columns();
    if (names.empty()) {
      fail<ConfigError>(a.command, a.input, "a table",
                        c10::str("events of shape ", at::IntArrayRef(reader->event_shape())),
                        "Give one row per event.");
    }
    found = has_generated_names(names) ? all_but_weight(a, names) : wanted;
  }
  if (found.size() != wanted.size()) fail_width(a, wanted.size(), found.size());
  return found;
}

/// The batches of the input, in the model's order of columns.
RowFeed file_feed(const FeedArguments& a, const DataColumns& columns) {
  const data::RowLayout layout = input_layout(a, columns);
  data::FileOptions options = a.file;
  options.columns = model_columns(a, layout);
  if (!a.weight.empty()) options.columns.push_back(a.weight);
  const std::shared_ptr<data::RowReader> reader = data::open_rows(a.input, options);
  const auto next = [reader, layout, name = a.input](int64_t first_row, int64_t most) {
    return layout.to_batch(reader->next(most), at::kDouble, name, first_row);
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
  for (const char* option : {"--columns", "--weight"}) {
    const bool given = option == std::string("--weight") ? !a.weight.empty() : !a.columns.empty();
    if (!a.input.empty() || !given) continue;
    fail<ConfigError>(a.command, option, "a file to choose columns of", "--split",
                      std::string("Drop ") + option + ".");
  }
  RowFeed feed = a.input.empty() ? split_feed(a, model) : file_feed(a, model.columns);
  if (!a.given.defined()) return feed;
  feed.next = [own = std::move(feed.next), given = a.given](int64_t first_row, int64_t most) {
    data::Batch batch = own(first_row, most);
    batch.condition = given.expand({batch.x.size(0), -1});
    return batch;
  };
  return feed;
}

}  // namespace contraflow::cli
