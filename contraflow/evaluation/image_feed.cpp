#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/core/text.h"
#include "contraflow/data/image_files.h"
#include "contraflow/evaluation/row_feed.h"

namespace contraflow {
namespace {

// "Crop or scale them to 28 x 28.", "Convert them to grey.", or both.
std::string size_remedy(const std::vector<int64_t>& wanted, at::IntArrayRef got) {
  const std::string kind = wanted[0] == 1 ? "convert them to grey"
                           : wanted[0] == 3
                               ? "convert them to three channels, red, green and blue"
                               : "give them " + std::to_string(wanted[0]) + " channels";
  const std::string size =
      "crop or scale them to " + std::to_string(wanted[1]) + " x " + std::to_string(wanted[2]);
  std::vector<std::string> parts;
  if (got.size() != 3 || got.slice(1) != at::IntArrayRef(wanted).slice(1)) parts.push_back(size);
  if (got.size() != 3 || got[0] != wanted[0]) parts.push_back(kind);
  std::string out = join(parts, ", and ");
  out.front() = static_cast<char>(std::toupper(out.front()));
  return out + ", or use a model of such images.";
}

void check_image_size(const FileFeedOptions& a, const std::vector<int64_t>& wanted,
                      at::IntArrayRef got) {
  if (got == at::IntArrayRef(wanted)) return;
  fail<ConfigError>(a.where, a.file,
                    "images of " + data::image_size_text(wanted) +
                        " (channels, height, width), those of the model",
                    data::image_size_text(got), size_remedy(wanted, got));
}

// The model's class of each class of the files: by the word where there are words.
at::Tensor model_classes(const FileFeedOptions& a, const data::ImageFiles& files,
                         const data::Columns& columns) {
  if (!files.classes.defined()) {
    fail<ConfigError>(a.where, a.file,
                      "labels, which the model is conditioned on (" + columns.label + ")", "none",
                      "Give one class to all images with --given " + columns.label + "=CLASS.");
  }
  const std::vector<std::string> known = columns.class_names();
  if (known.empty() || files.words.empty()) {
    const int64_t most = files.classes.max().item<int64_t>();
    if (most < columns.classes) return files.classes;
    fail<DomainError>(
        a.where, a.file,
        "labels from 0 to " + std::to_string(columns.classes - 1) + ", the classes of the model",
        std::to_string(most), "Take such images out, or train with them.");
  }
  std::vector<int64_t> place;
  for (const std::string& word : files.words) {
    const auto found = std::find(known.begin(), known.end(), word);
    if (found == known.end()) {
      fail<ConfigError>(a.where, a.file,
                        "folders of the model's classes, " + shorten(join(known, ", "), 200),
                        "the folder '" + shorten(word) + "'", "Rename it, or take it out.");
    }
    place.push_back(found - known.begin());
  }
  return at::tensor(place, at::kLong).index_select(0, files.classes);
}

at::Tensor one_hot_condition(const FileFeedOptions& a, const data::ImageFiles& files,
                             const data::Columns& columns) {
  if (a.without_condition || columns.condition_size() == 0) return {};
  if (!columns.condition.empty()) {
    fail<ConfigError>(a.where, a.file, "a file with the columns " + join(columns.condition, ", "),
                      "images", "Give their values with --given NAME=VALUE.");
  }
  return at::one_hot(model_classes(a, files, columns), columns.classes);
}

void log_images(const FileFeedOptions& a, const data::ImageFiles& files,
                const data::Columns& columns) {
  const int64_t most = files.pixels.max().item<int64_t>();
  log(LogLevel::kInfo, "read " + format_count(files.pixels.size(0)) + " images of " + a.file +
                           ": " + data::image_size_text(files.pixels.sizes().slice(1)));
  if (most < columns.levels) return;
  log(LogLevel::kWarning, a.file + " has pixels up to " + std::to_string(most) +
                              ", and the model knows the levels 0 to " +
                              std::to_string(columns.levels - 1) +
                              ": images with others have no density");
}

// Batches [n] + event of float64 from the bytes.
RowFeed feed_of_files(const FileFeedOptions& a, data::ImageFiles files,
                      const data::Columns& columns) {
  const auto condition = one_hot_condition(a, files, columns);
  const auto held = std::make_shared<const data::ImageFiles>(std::move(files));
  const int64_t all = held->pixels.size(0);
  const auto next = [held, condition, all, event = columns.event_shape](int64_t first_row,
                                                                        int64_t most) {
    const int64_t begin = std::min(first_row, all), count = std::min(most, all - begin);
    std::vector<int64_t> shape{count};
    shape.insert(shape.end(), event.begin(), event.end());
    data::Batch out{.x = held->pixels.narrow(0, begin, count).reshape(shape).to(at::kDouble),
                    .first_row = first_row};
    if (condition.defined()) out.condition = condition.narrow(0, begin, count).to(at::kDouble);
    return out;
  };
  const auto fraction = [all](int64_t rows) {
    return static_cast<double>(rows) / static_cast<double>(all);
  };
  return {a.file, next, fraction, nullptr, held->names};
}

// An array of numbers [N, C, H, W] or [N, H, W] that are no bytes.
RowFeed feed_of_array(const FileFeedOptions& a, const data::Columns& columns) {
  data::FileOptions options = a.format;
  if (a.lenient) options.bad_cells = data::BadCells::kAllAsNan;
  const std::shared_ptr<data::RowReader> reader = data::open_rows(a.file, options);
  std::vector<int64_t> image = reader->event_shape();
  if (image.size() == 2) image.insert(image.begin(), 1);
  check_image_size(a, columns.image, image);
  const auto next = [reader, event = columns.event_shape](int64_t first_row, int64_t most) {
    const at::Tensor rows = reader->next(most);
    std::vector<int64_t> shape{rows.size(0)};
    shape.insert(shape.end(), event.begin(), event.end());
    return data::Batch{.x = rows.reshape(shape).to(at::kDouble), .first_row = first_row};
  };
  if (columns.condition_size() > 0 && !a.without_condition)
    one_hot_condition(a, data::ImageFiles{}, columns);  // says that labels are missing
  return {a.file, next, [reader](int64_t) { return reader->fraction_read(); }, reader, {}};
}

// A table of rows has columns with names.
bool is_array_of_events(const FileFeedOptions& a) {
  if (!data::is_row_file(a.file) || data::is_text_file(a.file)) return false;
  return data::open_rows(a.file, a.format)->columns().empty();
}

}  // namespace

std::optional<RowFeed> image_feed(const FileFeedOptions& a, const data::Columns& columns) {
  if (columns.image.size() != 3) return std::nullopt;
  if (data::is_image_path(a.file)) {
    data::ImageFiles files = data::read_image_files(a.file);
    check_image_size(a, columns.image, files.pixels.sizes().slice(1));
    if (a.dropped_bits > 0) files.pixels = files.pixels.bitwise_right_shift(a.dropped_bits);
    log_images(a, files, columns);
    return feed_of_files(a, std::move(files), columns);
  }
  if (is_array_of_events(a)) return feed_of_array(a, columns);
  return std::nullopt;
}

}  // namespace contraflow
