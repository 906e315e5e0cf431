#include "contraflow/data/images/cifar.h"

#include <ATen/ATen.h>

#include <limits>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/images/folder.h"
#include "contraflow/data/images/image_blocks.h"
#include "contraflow/data/images/image_file.h"

namespace contraflow::data::images {
namespace {

namespace fs = std::filesystem;

constexpr const char* kReadCifar = "read_cifar";
constexpr int64_t kSide = 32, kPixels = 3 * kSide * kSide;

struct LabelByte {
  const char* name;
  int64_t classes;
};

// Labels in front of the pixels of a record.
std::vector<LabelByte> label_bytes(int64_t labels) {
  if (labels == 1) return {{kLabelName, 10}};
  return {{"coarse_label", 20}, {kLabelName, 100}};
}

bool is_cifar_100_name(const fs::path& path) {
  return plain_name(path) == "train.bin" || plain_name(path) == "test.bin";
}

bool is_training_batch(const fs::path& path) {
  const std::string name = plain_name(path);
  return (name.starts_with("data_batch") && name.ends_with(".bin")) || name == "train.bin";
}

bool is_test_batch(const fs::path& path) {
  return plain_name(path) == "test_batch.bin" || plain_name(path) == "test.bin";
}

// Labels of a record, by what a file of so many bytes can hold.
int64_t labels_of(const fs::path& path, int64_t bytes) {
  const bool ten = bytes % (1 + kPixels) == 0, hundred = bytes % (2 + kPixels) == 0;
  if (bytes > 0 && (ten || hundred)) {
    return ten && !(hundred && is_cifar_100_name(path)) ? 1 : 2;
  }
  fail<IoError>(kReadCifar, path.string(),
                "records of 3,073 bytes (CIFAR-10) or 3,074 bytes (CIFAR-100)",
                format_count(bytes) + " bytes, no number of them",
                "The file is cut off, or in another layout; get it again.");
}

void check_labels(const at::Tensor& labels, const LabelByte& kind, const fs::path& path) {
  const auto bad = first_bad(labels, labels.ge(kind.classes));
  if (!bad) return;
  fail<IoError>(kReadCifar,
                path.string() + ", record " + std::to_string(bad->row) + ", " + kind.name,
                "a class from 0 to " + std::to_string(kind.classes - 1), c10::str(bad->value),
                "The file is damaged, or in another layout; get it again.");
}

// Records [N, labels + 3072].
struct Records {
  int64_t labels = 0;
  at::Tensor bytes;
};

Records read_records(const fs::path& path) {
  ImageFile file(path);
  if (!file.compressed()) labels_of(path, file.most_bytes());  // before memory is asked for
  const at::Tensor bytes = file.read(std::numeric_limits<int64_t>::max());
  Records out{labels_of(path, bytes.size(0)), {}};
  out.bytes = bytes.view({-1, out.labels + kPixels});
  const std::vector<LabelByte> kinds = label_bytes(out.labels);
  for (size_t k = 0; k < kinds.size(); ++k) {
    check_labels(out.bytes.select(1, static_cast<int64_t>(k)), kinds[k], path);
  }
  return out;
}

ImageSet read_batches(const std::vector<fs::path>& files) {
  std::vector<at::Tensor> pixels, labels;
  int64_t count = 0;
  for (const fs::path& file : files) {
    const Records records = read_records(file);
    if (count != 0 && count != records.labels) {
      fail<IoError>(kReadCifar, file.string(),
                    "records with " + std::to_string(count) + " labels, as the batches before",
                    std::to_string(records.labels), "Keep CIFAR-10 and CIFAR-100 in two folders.");
    }
    count = records.labels;
    pixels.push_back(
        records.bytes.narrow(1, count, kPixels).contiguous().view({-1, 3, kSide, kSide}));
    labels.push_back(records.bytes.narrow(1, 0, count).to(at::kLong));
  }
  ImageSet out{.pixels = join_blocks(std::move(pixels))};
  const at::Tensor all = join_blocks(std::move(labels));
  const std::vector<LabelByte> kinds = label_bytes(count);
  for (size_t k = 0; k < kinds.size(); ++k) {
    out.labels.push_back({kinds[k].name, all.select(1, static_cast<int64_t>(k)).contiguous()});
  }
  return out;
}

}  // namespace

bool is_cifar_file(const fs::path& path) { return plain_name(path).ends_with(".bin"); }

bool is_cifar_folder(const fs::path& path) { return has_file(path, is_training_batch); }

ImageData read_cifar(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return {read_batches({path})};
  ImageData out{read_batches(files_in(path, is_training_batch))};
  const std::vector<fs::path> test = files_in(path, is_test_batch);
  if (test.empty()) return out;
  out.test = read_batches(test);
  if (out.test->labels.size() == out.train.labels.size()) return out;
  fail<IoError>(kReadCifar, path.string(), "training and test in one layout",
                "CIFAR-10 and CIFAR-100", "Keep them in two folders.");
}

}  // namespace contraflow::data::images
