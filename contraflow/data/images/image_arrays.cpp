#include "contraflow/data/images/image_arrays.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/images/folder.h"
#include "contraflow/data/images/image_blocks.h"
#include "contraflow/data/images/image_file.h"
#include "contraflow/data/images/image_shape.h"
#include "contraflow/data/npy_bytes.h"
#include "contraflow/data/npy_file.h"
#include "contraflow/data/row_file.h"
#include "contraflow/data/zip_archive.h"

namespace contraflow::data::images {
namespace {

namespace fs = std::filesystem;

constexpr const char* kReadArrays = "read_image_arrays";
constexpr std::string_view kNpyEnding = ".npy";

// The order of an array of bytes; nullopt for others.
std::optional<PixelOrder> order_of(const NpyFile& file) {
  const NpyHeader& header = file.header();
  const bool bytes = header.fields.empty() && header.type.kind == 'u' && header.item_bytes == 1;
  return bytes ? pixel_order(header.shape) : std::nullopt;
}

// Images of one part of a file.
struct ArrayPart {
  std::shared_ptr<const NpyFile> images;
  PixelOrder order = PixelOrder::kGrey;
  std::shared_ptr<const NpyFile> labels = nullptr;
  int64_t first_label = 0;
};

struct ArrayParts {
  ArrayPart train;
  std::optional<ArrayPart> test;
};

class Archive {
 public:
  explicit Archive(const fs::path& path) : path_(path), archive_(path) {}

  std::shared_ptr<const NpyFile> find(const std::string& name) const {
    const std::vector<std::string>& members = archive_.members();
    const auto found = std::find(members.begin(), members.end(), name + std::string(kNpyEnding));
    if (found == members.end()) return nullptr;
    return open(static_cast<size_t>(found - members.begin()));
  }

  /// Images under a name, in rows or not, with labels under another; nullopt where there are none.
  std::optional<ArrayPart> part(const std::string& images, bool flat,
                                const std::string& labels) const {
    const auto file = find(images);
    const auto order = file == nullptr ? std::nullopt : order_of(*file);
    if (!order || flat != (*order == PixelOrder::kFlat)) return std::nullopt;
    return ArrayPart{file, *order, find(labels), flat ? 1 : 0};
  }

  /// The only array of images, whatever its name is.
  std::optional<ArrayPart> only_part() const {
    std::optional<ArrayPart> out;
    for (size_t m = 0; m < archive_.members().size(); ++m) {
      if (!archive_.members()[m].ends_with(kNpyEnding)) continue;
      const auto file = open(m);
      const auto order = order_of(*file);
      if (!order || *order == PixelOrder::kFlat) continue;
      if (out) return std::nullopt;
      out = ArrayPart{file, *order, find("labels"), 0};
    }
    return out;
  }

 private:
  std::shared_ptr<const NpyFile> open(size_t member) const {
    return std::make_shared<const NpyFile>(streamed_bytes(archive_.open(member)),
                                           path_.string() + ":" + archive_.members()[member]);
  }

  fs::path path_;
  ZipArchive archive_;
};

std::optional<ArrayParts> parts_of_archive(const fs::path& path) {
  const Archive archive(path);
  if (const auto train = archive.part("x_train", /*flat=*/false, "y_train")) {
    return ArrayParts{*train, archive.part("x_test", /*flat=*/false, "y_test")};
  }
  const auto data = archive.part("data", /*flat=*/true, "labels");
  if (data && data->labels != nullptr) return ArrayParts{*data, std::nullopt};
  const auto only = archive.only_part();
  return only ? std::optional(ArrayParts{*only, std::nullopt}) : std::nullopt;
}

// nullopt where the file holds no images.
std::optional<ArrayParts> parts_of(const fs::path& path) {
  const RowFile file = parse_row_file(path);
  if (file.kind == RowFileKind::kNpz) {
    return file.member.empty() ? parts_of_archive(path) : std::nullopt;
  }
  if (file.kind != RowFileKind::kNpy) return std::nullopt;
  const auto array = std::make_shared<const NpyFile>(path);
  const auto order = order_of(*array);
  if (!order || *order == PixelOrder::kFlat) return std::nullopt;
  return ArrayParts{{array, *order}, std::nullopt};
}

// All rows in blocks that may be asked for at once.
std::vector<at::Tensor> read_blocks(const NpyFile& file, at::ScalarType type,
                                    std::optional<PixelOrder> order) {
  constexpr int64_t kBlockBytes = int64_t{1} << 26;
  const int64_t row_bytes =
      std::max<int64_t>(1, file.header().count() / file.rows()) * file.header().item_bytes;
  const int64_t most = std::min(file.most_rows(), std::max<int64_t>(1, kBlockBytes / row_bytes));
  std::vector<at::Tensor> blocks;
  for (int64_t first = 0; first < file.rows(); first += most) {
    const at::Tensor rows = file.read(first, std::min(most, file.rows() - first), type);
    blocks.push_back(order ? channels_first(rows, *order) : rows);
  }
  return blocks;
}

at::Tensor read_classes(const NpyFile& file, int64_t images, int64_t first_label) {
  const std::vector<int64_t>& shape = file.header().shape;
  const bool one_each = (shape.size() == 1 || (shape.size() == 2 && shape[1] == 1)) &&
                        file.rows() == images && file.header().fields.empty();
  if (!one_each) {
    fail<IoError>(kReadArrays, file.name(), format_count(images) + " labels, one for each image",
                  "shape " + c10::str(at::IntArrayRef(shape)), "Save an array [N] of integers.");
  }
  constexpr int64_t kMostClasses = 10'000;
  const at::Tensor labels = join_blocks(read_blocks(file, at::kDouble, std::nullopt)).flatten() -
                            static_cast<double>(first_label);
  const at::Tensor bad =
      labels.ne(labels.round()).logical_or(labels.lt(0)).logical_or(labels.ge(kMostClasses));
  if (const auto found = first_bad(labels, bad)) {
    fail<IoError>(kReadArrays, file.name() + ", row " + std::to_string(found->row),
                  "a class from " + std::to_string(first_label) + " to " +
                      std::to_string(kMostClasses - 1 + first_label),
                  c10::str(found->value + static_cast<double>(first_label)),
                  first_label == 0 ? "Number the classes 0, 1, ..."
                                   : "Labels of images in rows, [N, 3 S S], count from 1, as those "
                                     "of ImageNet32 do; those of [N, C, H, W] count from 0.");
  }
  return labels.to(at::kLong);
}

ImageSet read_part(const ArrayPart& part) {
  ImageSet out{.pixels = join_blocks(read_blocks(*part.images, at::kByte, part.order))};
  if (part.labels == nullptr) return out;
  const at::Tensor classes = read_classes(*part.labels, part.images->rows(), part.first_label);
  out.labels.push_back({kLabelName, classes});
  return out;
}

ImageSet read_batch(const fs::path& path) {
  const auto parts = parts_of(path);
  if (parts && parts->train.labels != nullptr && !parts->test) return read_part(parts->train);
  fail<IoError>(kReadArrays, path.string(),
                "the arrays data [N, 3 S S] of uint8 and labels [N], as ImageNet32 has them",
                "others", "Get the file again, or name another one.");
}

// The batches of a folder one after the other.
ImageSet read_batch_files(const std::vector<fs::path>& files) {
  std::vector<at::Tensor> pixels, classes;
  for (const fs::path& file : files) {
    const ImageSet batch = read_batch(file);
    if (!pixels.empty() && batch.pixels.sizes().slice(1) != pixels.front().sizes().slice(1)) {
      fail<IoError>(kReadArrays, file.string(),
                    "images " + c10::str(pixels.front().sizes().slice(1)) + ", as in " +
                        files.front().filename().string(),
                    c10::str(batch.pixels.sizes().slice(1)),
                    "Keep images of two sizes in two folders.");
    }
    pixels.push_back(batch.pixels);
    classes.push_back(batch.labels.front().classes);
  }
  return {join_blocks(std::move(pixels)), {{kLabelName, join_blocks(std::move(classes))}}};
}

bool is_train_batch(const fs::path& path) {
  const std::string name = plain_name(path);
  return name.starts_with("train_data_batch") && name.ends_with(".npz");
}

bool is_val_batch(const fs::path& path) { return plain_name(path) == "val_data.npz"; }

}  // namespace

bool is_image_array(const std::string& name) {
  try {
    return parts_of(name).has_value();
  } catch (const Error&) {
    return false;
  }
}

bool is_image_batches(const fs::path& path) { return has_file(path, is_train_batch); }

ImageData read_image_arrays(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    ImageData out{read_batch_files(files_in(path, is_train_batch))};
    const std::vector<fs::path> test = files_in(path, is_val_batch);
    if (!test.empty()) out.test = read_batch_files(test);
    return out;
  }
  const auto parts = parts_of(path);
  if (!parts) {
    fail<IoError>(kReadArrays, path.string(), "images, arrays of uint8", "none",
                  "Save them as [N, C, H, W].");
  }
  ImageData out{read_part(parts->train)};
  if (parts->test) out.test = read_part(*parts->test);
  return out;
}

}  // namespace contraflow::data::images
