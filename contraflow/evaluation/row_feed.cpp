#include "contraflow/evaluation/row_feed.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/core/text.h"

namespace contraflow {
namespace {

constexpr const char* kStandardInput = "-";

// column_0, column_3, ...: what a file without names is read with.
bool is_generated(const std::string& name) {
  constexpr std::string_view kPrefix = "column_";
  return name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string::npos;
}

bool has_generated_names(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), is_generated);
}

[[noreturn]] void fail_width(const FileFeedOptions& a, size_t wanted, size_t got) {
  fail<ConfigError>(a.where, a.file,
                    std::to_string(wanted) +
                        " columns by their names, or all of the training's file in its order",
                    std::to_string(got) + " without names",
                    "Choose them with --columns, by name or number from 0, in the model's order.");
}

/// Columns of the file that are not the weight, in its order.
std::vector<std::string> all_but_weight(const FileFeedOptions& a,
                                        const std::vector<std::string>& names) {
  std::vector<std::string> out = names;
  if (!a.weight.empty()) {
    out.erase(out.begin() + data::find_columns(names, {a.weight}, a.file).front());
  }
  return out;
}

/// What the rows of the input must have: no condition where one is given for all of them.
data::Columns input_columns(const FileFeedOptions& a, const data::Columns& columns) {
  data::Columns out = columns;
  out.weight = a.weight;
  if (a.without_condition) {
    out.condition.clear();
    out.label.clear();
    out.classes = 0;
  }
  return out;
}

[[noreturn]] void fail_shape(const FileFeedOptions& a, const data::RowReader& reader) {
  fail<ConfigError>(a.where, a.file, "a table",
                    c10::str("events of shape ", at::IntArrayRef(reader.event_shape())),
                    "Give one row per event.");
}

bool has_all(const std::vector<std::string>& names, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  });
}

// Numbers of the columns in the training's file, for a file that has no names or was trained without.
std::vector<std::string> by_number(const FileFeedOptions& a, const data::Columns& columns,
                                   const std::vector<std::string>& names) {
  const size_t wanted = columns.to_read(/*with_weight=*/false).size();
  if (columns.file_numbers.empty()) {  // saved by a program that told no names
    const std::vector<std::string> own = all_but_weight(a, names);
    if (own.size() != wanted) fail_width(a, wanted, own.size());
    return own;
  }
  std::vector<std::string> out;
  for (size_t k = 0; k < wanted; ++k) {
    const int64_t number = columns.file_numbers.at(k);
    if (number >= std::ssize(names)) fail_width(a, wanted, names.size());
    out.push_back(std::to_string(number));
  }
  return out;
}

/// Columns of the input that are those of `columns`, in its order: by name, else by their numbers.
std::vector<std::string> model_columns(const FileFeedOptions& a, const data::Columns& columns) {
  const std::vector<std::string> wanted = columns.to_read(/*with_weight=*/false);
  if (!a.columns.empty()) {
    if (a.columns.size() != wanted.size()) fail_width(a, wanted.size(), a.columns.size());
    return a.columns;
  }
  if (a.file == kStandardInput)
    return wanted;  // can be opened once: names, or an error of the reader
  const auto reader = data::open_rows(a.file, a.format);
  const std::vector<std::string>& names = reader->columns();
  if (names.empty()) fail_shape(a, *reader);
  if (has_all(names, wanted)) return wanted;
  const bool nameless = has_generated_names(names) || has_generated_names(columns.names);
  return nameless ? by_number(a, columns, names) : wanted;  // whose reader names what is missing
}

// One line on what is read: which columns, and which are not.
void log_columns(const FileFeedOptions& a, const std::vector<std::string>& used) {
  if (a.file == kStandardInput) return;
  data::FileOptions all = a.format;
  all.columns.clear();
  const auto reader = data::open_rows(a.file, all);
  const std::vector<std::string>& names = reader->columns();
  std::vector<std::string> rest = names;
  std::vector<std::string> shown;
  for (const int64_t c : data::find_columns(names, used, a.file)) {
    shown.push_back(names[static_cast<size_t>(c)]);
    rest[static_cast<size_t>(c)].clear();
  }
  std::erase(rest, "");
  std::string text = "reading " + shorten(join(shown, ", "), 200) + " of " + a.file;
  if (!rest.empty()) text += "; not used: " + shorten(join(rest, ", "), 200);
  log(LogLevel::kInfo, text);
}

}  // namespace

RowFeed file_feed(const FileFeedOptions& a, const data::Columns& columns) {
  const data::Columns own = input_columns(a, columns);
  data::FileOptions options = a.format;
  const std::vector<std::string> read = own.to_read(/*with_weight=*/false);
  for (const data::NamedCells& cells : own.cells) {
    const bool wanted = std::find(read.begin(), read.end(), cells.name) != read.end();
    if (wanted) options.cells[cells.name] = {cells.kind, cells.categories};
  }
  options.missing.insert(options.missing.end(), own.missing.begin(), own.missing.end());
  if (a.lenient) options.bad_cells = data::BadCells::kAllAsNan;
  options.columns = model_columns(a, own);
  if (!a.weight.empty()) options.columns.push_back(a.weight);
  const std::shared_ptr<data::RowReader> reader = data::open_rows(a.file, options);
  log_columns(a, options.columns);
  const auto next = [reader, own, name = a.file, lenient = a.lenient](int64_t first_row,
                                                                      int64_t most) {
    const at::Tensor rows = reader->next(most);
    return lenient ? own.to_lenient_batch(rows, at::kDouble, name, first_row)
                   : own.to_batch(rows, at::kDouble, name, first_row);
  };
  return {a.file, next, [reader](int64_t) { return reader->fraction_read(); }, reader};
}

RowFeed split_feed(const std::string& where, data::Dataset dataset, const std::string& split) {
  const auto held = std::make_shared<data::Dataset>(std::move(dataset));
  const data::Source& source = split_of(*held, split);
  const int64_t all = source.size().value_or(0);
  if (all == 0) {
    fail<ConfigError>(where, "--split " + split, "a split with an end", "an endless stream",
                      "Choose test or validation.");
  }
  const auto next = [held, &source, all](int64_t first_row, int64_t most) {
    return source.rows(first_row, std::min(all, first_row + most));
  };
  const auto fraction = [all](int64_t rows) {
    return static_cast<double>(rows) / static_cast<double>(all);
  };
  return {held->name + " (" + split + ")", next, fraction};
}

RowFeed given_to_all(RowFeed feed, const at::Tensor& given) {
  feed.next = [own = std::move(feed.next), given](int64_t first_row, int64_t most) {
    data::Batch batch = own(first_row, most);
    batch.condition = given.expand({batch.x.size(0), -1});
    return batch;
  };
  return feed;
}

const data::Source& split_of(const data::Dataset& dataset, const std::string& split) {
  const data::SourcePtr& source = split == "train"        ? dataset.splits.train
                                  : split == "validation" ? dataset.splits.validation
                                                          : dataset.splits.test;
  if (source != nullptr) return *source;
  fail<ConfigError>("data", "--split " + split, "a split with rows", "none in " + dataset.name,
                    "Choose another of train, validation and test.");
}

}  // namespace contraflow
