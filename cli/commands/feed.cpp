#include "cli/commands/feed.h"

#include "contraflow/core/error.h"

namespace contraflow::cli {
namespace {

void check_words(const FeedArguments& a) {
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
}

// What the user had to say about the training's file holds for others, unless said anew. What was found
// out about it is found out anew.
data::FileOptions with_settings_of_the_run(data::FileOptions file, const Model& model) {
  if (!model.run) return file;
  const data::DataOptions& own = model.run->data;
  if (file.header == data::CsvHeader::kAuto) file.header = own.header;
  if (file.delimiter == data::CsvDelimiter::kAuto) file.delimiter = own.delimiter;
  if (file.decimal == data::DecimalMark::kAuto) file.decimal = own.decimal;
  if (file.encoding == data::TextEncoding::kAuto) file.encoding = own.encoding;
  return file;
}

}  // namespace

RowFeed open_feed(const FeedArguments& a, const Model& model) {
  check_words(a);
  RowFeed feed = a.input.empty() ? split_feed(a.command, open_data(model, a.allow_changed), a.split)
                                 : file_feed({.where = a.command,
                                              .file = a.input,
                                              .columns = a.columns,
                                              .weight = a.weight,
                                              .without_condition = a.given.defined(),
                                              .lenient = a.lenient,
                                              .format = with_settings_of_the_run(a.file, model)},
                                             model.columns);
  return a.given.defined() ? given_to_all(std::move(feed), a.given) : feed;
}

}  // namespace contraflow::cli
