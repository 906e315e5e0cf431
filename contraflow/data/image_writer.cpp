#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/text.h"
#include "contraflow/data/image_files.h"
#include "contraflow/data/images/folder.h"
#include "contraflow/data/images/png.h"
#include "contraflow/data/npy_header.h"
#include "contraflow/data/row_file.h"

namespace contraflow::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWriteImages = "write_images";
constexpr size_t kImageHeaderBytes = 128;
constexpr int64_t kByteLevels = 256;

// Integers, exactly and in range, as bytes or int64.
at::Tensor as_levels(const at::Tensor& images, int64_t levels) {
  const at::Tensor whole = images.round();
  const bool fine = whole.eq(images).all().item<bool>() && images.ge(0).all().item<bool>() &&
                    images.lt(levels).all().item<bool>();
  if (!fine) {
    fail<DomainError>(kWriteImages, "pixels", "integers 0 .. " + std::to_string(levels - 1),
                      "values from " + c10::str(images.min().item<double>()) + " to " +
                          c10::str(images.max().item<double>()),
                      "Round and clamp them first.");
  }
  return whole.to(at::kCPU, levels <= kByteLevels ? at::kByte : at::kLong).contiguous();
}

class NpyImageWriter final : public ImageWriter {
 public:
  NpyImageWriter(const std::string& path, std::vector<int64_t> image, int64_t levels)
      : file_(path), image_(std::move(image)), levels_(levels) {
    file_.write(header());
  }

  void append(const at::Tensor& images) override {
    const at::Tensor values = as_levels(images, levels_);
    file_.write({static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
    count_ += images.size(0);
  }

  void finish() override {
    file_.overwrite_start(header());
    file_.commit();
  }

 private:
  // The number of images is not known at first: finish() writes the true one.
  std::string header() const {
    std::vector<int64_t> shape{count_};
    shape.insert(shape.end(), image_.begin(), image_.end());
    return make_npy_header(levels_ <= kByteLevels ? "|u1" : "<i8", shape, kImageHeaderBytes);
  }

  AtomicFile file_;
  std::vector<int64_t> image_;
  int64_t levels_;
  int64_t count_ = 0;
};

class PngImageWriter final : public ImageWriter {
 public:
  PngImageWriter(const std::string& folder, int64_t levels, int64_t count)
      : folder_(folder), levels_(levels), digits_(std::max<size_t>(6, digits_of(count))) {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (!fs::is_directory(folder_)) {
      fail<IoError>(kWriteImages, folder, "a folder that can be made",
                    error ? error.message() : "a file", "Choose another folder.");
    }
    if (!images::has_file(folder_, images::is_png_file)) return;
    fail<ConfigError>(kWriteImages, folder, "a folder without PNG files", "some in it",
                      "Choose a new folder, so that old and new images do not mix.");
  }

  void append(const at::Tensor& images) override {
    at::Tensor levels = as_levels(images, levels_);
    if (levels_ != kByteLevels) {
      const double scale = 255.0 / static_cast<double>(std::max<int64_t>(1, levels_ - 1));
      levels = (levels.to(at::kDouble) * scale).round();
    }
    const at::Tensor bytes = levels.to(at::kByte);
    for (int64_t k = 0; k < bytes.size(0); ++k) images::write_png(folder_ / name(), bytes[k]);
  }

  void finish() override {}

 private:
  static size_t digits_of(int64_t count) { return std::to_string(count - 1).size(); }

  std::string name() {
    const std::string number = std::to_string(written_++);
    return std::string(digits_ - std::min(digits_, number.size()), '0') + number + ".png";
  }

  fs::path folder_;
  int64_t levels_;
  size_t digits_;
  int64_t written_ = 0;
};

}  // namespace

bool is_folder_path(const std::string& path) {
  std::error_code ignored;
  return path.ends_with('/') || fs::is_directory(path, ignored);
}

std::unique_ptr<ImageWriter> create_images(const std::string& path,
                                           const std::vector<int64_t>& image, int64_t levels,
                                           int64_t count) {
  if (is_folder_path(path)) return std::make_unique<PngImageWriter>(path, levels, count);
  const RowFile file = parse_row_file(path);
  if (file.kind == RowFileKind::kNpy && file.compression == Compression::kNone)
    return std::make_unique<NpyImageWriter>(path, image, levels);
  fail<ConfigError>(kWriteImages, path,
                    "a name that ends in .npy, or a folder with a slash at the end", "another name",
                    "Rename it.");
}

}  // namespace contraflow::data
