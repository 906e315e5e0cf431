#include "contraflow/data/images/idx_images.h"

#include <ATen/ATen.h>

#include <string>
#include <system_error>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/images/folder.h"
#include "contraflow/data/images/idx.h"
#include "contraflow/data/images/image_file.h"
#include "contraflow/data/images/image_shape.h"

namespace contraflow::data::images {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIdxImages = "read_idx";

bool has_word(const fs::path& path, std::string_view word) {
  return plain_name(path).find(word) != std::string::npos;
}

bool is_file_of_images(const fs::path& path) {
  return is_idx_file(path) && has_word(path, "images");
}

void replace_last(std::string& text, std::string_view from, std::string_view to) {
  const size_t place = text.rfind(from);
  if (place != std::string::npos) text.replace(place, from.size(), to);
}

// The file of labels beside a file of images; empty where there is none.
fs::path labels_beside(const fs::path& images) {
  std::string name = images.filename().string();
  if (is_compressed(images)) name.resize(name.size() - 3);
  const std::string before = name;
  replace_last(name, "images", "labels");
  if (name == before) return {};
  for (const char* axes : {"idx3", "idx4"}) replace_last(name, axes, "idx1");
  std::error_code ignored;
  for (const char* ending : {"", ".gz"}) {
    const fs::path path = images.parent_path() / (name + ending);
    if (fs::is_regular_file(path, ignored)) return path;
  }
  return {};
}

at::Tensor read_labels(const fs::path& path, int64_t images, const fs::path& of) {
  const at::Tensor labels = read_idx(path);
  if (labels.dim() == 1 && labels.size(0) == images) return labels.to(at::kLong);
  fail<IoError>(kIdxImages, path.string(),
                format_count(images) + " labels, one for each image of " + of.filename().string(),
                "sizes " + c10::str(labels.sizes()), "Get both files from one place.");
}

ImageSet read_pair(const fs::path& path) {
  const at::Tensor array = read_idx(path);
  const auto order = pixel_order(array.sizes());
  if (!order || *order == PixelOrder::kFlat) {
    fail<IoError>(kIdxImages, path.string(),
                  "images [N, H, W], or [N, C, H, W] or [N, H, W, C] with 1 or 3 channels",
                  "sizes " + c10::str(array.sizes()),
                  "Name the file of images; that of the labels is found beside it.");
  }
  ImageSet out{.pixels = channels_first(array, *order)};
  const fs::path labels = labels_beside(path);
  if (labels.empty()) return out;
  out.labels.push_back({kLabelName, read_labels(labels, array.size(0), path)});
  return out;
}

[[noreturn]] void fail_parts(const fs::path& folder, const std::vector<fs::path>& files) {
  fail<IoError>(kIdxImages, folder.string(),
                "one file of images to train on, with 'train' in its name, and at most one with "
                "'t10k' or 'test'",
                names_of(files), "Name the file itself, or move the others away.");
}

ImageData read_folder(const fs::path& folder) {
  const std::vector<fs::path> files = files_in(folder, is_file_of_images);
  if (files.size() == 1 && !has_word(files.front(), "t10k")) return {read_pair(files.front())};
  std::vector<fs::path> train, test;
  for (const fs::path& file : files) {
    const bool tested = has_word(file, "t10k") || has_word(file, "test");
    if (tested == has_word(file, "train")) fail_parts(folder, files);
    (tested ? test : train).push_back(file);
  }
  if (train.size() != 1 || test.size() > 1) fail_parts(folder, files);
  ImageData out{read_pair(train.front())};
  if (!test.empty()) out.test = read_pair(test.front());
  return out;
}

}  // namespace

bool is_idx_file(const fs::path& path) {
  const std::string name = plain_name(path);
  return name.ends_with("-ubyte") || name.ends_with(".idx");
}

bool is_idx_folder(const fs::path& path) { return has_file(path, is_file_of_images); }

ImageData read_idx_images(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? read_folder(path) : ImageData{read_pair(path)};
}

}  // namespace contraflow::data::images
