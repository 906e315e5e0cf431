#include "contraflow/data/images/png_folder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/images/folder.h"
#include "contraflow/data/images/image_blocks.h"
#include "contraflow/data/images/image_file.h"
#include "contraflow/data/images/png.h"

namespace contraflow::data::images {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPngFolder = "read_png_folder";

bool holds_png(const fs::path& folder, int deep) {
  std::error_code ignored;
  if (has_file(folder, is_png_file)) return true;
  if (deep == 0 || !fs::is_directory(folder, ignored)) return false;
  const std::vector<fs::path> inner = folders_in(folder);
  return std::any_of(inner.begin(), inner.end(),
                     [&](const fs::path& path) { return holds_png(path, deep - 1); });
}

// Files of one class, or of all where the folder has no classes.
struct PngClass {
  std::string word;
  std::vector<fs::path> files;
};

struct PngPart {
  fs::path folder;
  std::vector<PngClass> classes;

  bool labelled() const { return classes.size() > 1 || !classes.front().word.empty(); }
};

PngPart list_part(const fs::path& folder) {
  PngPart out{.folder = folder, .classes = {}};
  for (const fs::path& inner : folders_in(folder)) {
    std::vector<fs::path> files = files_in(inner, is_png_file);
    if (!files.empty()) out.classes.push_back({inner.filename().string(), std::move(files)});
  }
  std::vector<fs::path> files = files_in(folder, is_png_file);
  if (!files.empty() && !out.classes.empty()) {
    fail<IoError>(kPngFolder, folder.string(), "PNG files, or folders of them",
                  format_count(std::ssize(files)) + " files beside the folder " +
                      shorten(out.classes.front().word),
                  "Move the files into a folder of their class.");
  }
  if (!files.empty()) out.classes.push_back({"", std::move(files)});
  if (!out.classes.empty()) return out;
  fail<IoError>(kPngFolder, folder.string(), "PNG files, or folders of them", "none",
                "Check the path.");
}

std::string png_size(const at::Tensor& image) {
  return std::to_string(image.size(1)) + " x " + std::to_string(image.size(2)) +
         (image.size(0) == 1 ? " grey" : " in colours");
}

class PngReader {
 public:
  explicit PngReader(std::vector<std::string> words) : words_(std::move(words)) {}

  ImageSet read(const PngPart& part) {
    std::vector<int64_t> classes;
    for (const PngClass& one : part.classes) {
      const auto number = std::find(words_.begin(), words_.end(), one.word) - words_.begin();
      for (const fs::path& file : one.files) {
        add(file);
        files_.push_back((fs::path(one.word) / file.filename()).string());
      }
      classes.insert(classes.end(), one.files.size(), number);
    }
    ImageSet out{.pixels = blocks_.take()};
    out.files = std::move(files_);
    files_.clear();
    if (part.labelled()) out.labels.push_back({kLabelName, at::tensor(classes, at::kLong)});
    return out;
  }

 private:
  void add(const fs::path& file) {
    const at::Tensor image = read_png(file);
    if (!first_.defined()) {
      first_ = image;
      first_name_ = file.string();
    }
    if (image.sizes() != first_.sizes()) {
      fail<IoError>(kPngFolder, file.string(),
                    "height and width " + png_size(first_) + ", as " + first_name_ + " has",
                    png_size(image), "Crop, scale or convert the images to one size and kind.");
    }
    blocks_.add(image);
  }

  std::vector<std::string> words_;
  std::vector<std::string> files_;
  ImageBlocks blocks_;
  at::Tensor first_;
  std::string first_name_;
};

// Folders of a part that was published as one, such as train and test, or train_32x32 and valid_32x32.
std::vector<fs::path> folders_of(const std::vector<fs::path>& inner,
                                 const std::vector<std::string_view>& starts) {
  std::vector<fs::path> out;
  for (const fs::path& path : inner) {
    const std::string name = plain_name(path);
    const bool found = std::any_of(starts.begin(), starts.end(),
                                   [&](std::string_view start) { return name.starts_with(start); });
    if (found && holds_png(path, 1)) out.push_back(path);
  }
  return out;
}

struct PngParts {
  PngPart train;
  std::optional<PngPart> test;
};

PngParts list_parts(const fs::path& folder) {
  const std::vector<fs::path> inner = folders_in(folder);
  const std::vector<fs::path> train = folders_of(inner, {"train"});
  const std::vector<fs::path> test = folders_of(inner, {"test", "val"});
  if (train.empty() || test.empty()) return {list_part(folder), std::nullopt};
  if (train.size() == 1 && test.size() == 1) {
    return {list_part(train.front()), list_part(test.front())};
  }
  std::vector<fs::path> both = train;
  both.insert(both.end(), test.begin(), test.end());
  fail<IoError>(kPngFolder, folder.string(),
                "one folder to train on and one for the test, or folders of classes",
                names_of(both),
                "Validation images are taken from those of the training: move the others away.");
}

std::vector<std::string> words_of(const PngParts& parts) {
  std::vector<std::string> out;
  for (const PngClass& one : parts.train.classes) out.push_back(one.word);
  if (!parts.test) return out;
  if (parts.test->labelled() != parts.train.labelled()) {
    fail<IoError>(kPngFolder, parts.test->folder.string(),
                  parts.train.labelled() ? "folders of classes, as the training has"
                                         : "images without classes, as the training has",
                  "the other", "Lay both parts out alike.");
  }
  for (const PngClass& one : parts.test->classes) {
    if (std::find(out.begin(), out.end(), one.word) != out.end()) continue;
    fail<IoError>(kPngFolder, parts.test->folder.string(),
                  "folders of the classes that the training has",
                  shorten(one.word) + ", which it does not have", "Lay both parts out alike.");
  }
  return out;
}

}  // namespace

bool is_png_folder(const fs::path& path) { return holds_png(path, 2); }

ImageData read_png_folder(const fs::path& path) {
  const PngParts parts = list_parts(path);
  PngReader reader(words_of(parts));
  ImageData out{reader.read(parts.train)};
  if (parts.test) out.test = reader.read(*parts.test);
  if (parts.train.labelled()) out.words = words_of(parts);
  return out;
}

}  // namespace contraflow::data::images
