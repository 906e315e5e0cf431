#include "cli/commands/feed.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "cli/commands/common.h"
#include "contraflow/core/error.h"
#include "contraflow/data/data_registry.h"

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

// Bits of images that the training did not have.
int64_t dropped_bits(const Model& model) {
  return model.run && model.run->data.bits ? 8 - *model.run->data.bits : 0;
}

// Where images are wanted, what is no file is named as data of images are.
void check_there(const FeedArguments& a, const data::Columns& columns) {
  if (columns.image.size() != 3 || a.input == "-") return;
  std::error_code ignored;
  const bool is_file = std::filesystem::is_regular_file(a.input, ignored);
  const bool archive = a.input.find(".npz:") != std::string::npos;  // FILE.npz:NAME
  const bool is_folder = std::filesystem::is_directory(a.input, ignored);
  if (is_folder || (!is_file && !archive && has_image_events(columns))) data::find_data(a.input);
}

// Images have neither names of columns nor weights.
void check_no_columns(const FeedArguments& a) {
  const char* option = !a.columns.empty()     ? "--columns"
                       : !a.weight.empty()    ? "--weight"
                       : !a.file.keep.empty() ? "--keep"
                                              : nullptr;
  if (option == nullptr) return;
  fail<ConfigError>(a.command, option, "a file of rows to choose columns of", "images",
                    std::string("Drop ") + option + ".");
}

}  // namespace

RowFeed open_feed(const FeedArguments& a, const Model& model) {
  check_words(a);
  if (a.input.empty()) {
    RowFeed feed = split_feed(a.command, open_data(model, a.allow_changed), a.split);
    return a.given.defined() ? given_to_all(std::move(feed), a.given) : feed;
  }
  const FileFeedOptions file{.where = a.command,
                             .file = a.input,
                             .columns = a.columns,
                             .weight = a.weight,
                             .without_condition = a.given.defined(),
                             .lenient = a.lenient,
                             .format = with_settings_of_the_run(a.file, model),
                             .dropped_bits = dropped_bits(model)};
  check_there(a, model.columns);
  std::optional<RowFeed> images = image_feed(file, model.columns);
  if (images) check_no_columns(a);
  RowFeed feed = images ? std::move(*images) : file_feed(file, model.columns);
  return a.given.defined() ? given_to_all(std::move(feed), a.given) : feed;
}

}  // namespace contraflow::cli
