#include "contraflow/data/images/idx.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/images/image_file.h"

namespace contraflow::data::images {
namespace {

constexpr const char* kReadIdx = "read_idx";
constexpr const char* kIdxRemedy =
    "The file is damaged, cut off or no IDX file of bytes; get it again.";
constexpr int64_t kMostAxes = 4;

[[noreturn]] void fail_field(const ImageFile& file, const std::string& field,
                             const std::string& expected, const std::string& got) {
  fail<IoError>(kReadIdx, file.name() + ", " + field, expected, got, kIdxRemedy);
}

std::array<uint8_t, 4> read_word(ImageFile& file, const std::string& field) {
  std::array<char, 4> bytes{};
  const size_t count = file.read(bytes);
  if (count < bytes.size()) {
    fail_field(file, field, "4 bytes", std::to_string(count) + ", the end of the file");
  }
  return std::bit_cast<std::array<uint8_t, 4>>(bytes);
}

int64_t number_of_axes(ImageFile& file) {
  const std::array<uint8_t, 4> magic = read_word(file, "magic number");
  if (magic[0] != 0 || magic[1] != 0) {
    fail_field(file, "magic number", "two zeros at the start",
               std::to_string(magic[0]) + " and " + std::to_string(magic[1]));
  }
  if (magic[2] != 8) {
    fail_field(file, "type of the values", "8, unsigned bytes", std::to_string(magic[2]));
  }
  if (magic[3] < 1 || magic[3] > kMostAxes) {
    fail_field(file, "number of axes", "1 to " + std::to_string(kMostAxes),
               std::to_string(magic[3]));
  }
  return magic[3];
}

// The sizes that the header has, whose product the file can hold.
std::vector<int64_t> read_sizes(ImageFile& file) {
  const int64_t axes = number_of_axes(file);
  const int64_t most = std::max<int64_t>(0, file.most_bytes() - 4 - 4 * axes);
  std::vector<int64_t> sizes;
  int64_t count = 1;
  for (int64_t axis = 0; axis < axes; ++axis) {
    const std::string field = "size of axis " + std::to_string(axis);
    const std::array<uint8_t, 4> word = read_word(file, field);
    const int64_t size =
        int64_t{word[0]} << 24 | int64_t{word[1]} << 16 | int64_t{word[2]} << 8 | word[3];
    if (size == 0) fail_field(file, field, "1 or more", "0");
    if (size > most / count) {
      fail_field(file, field,
                 "at most the " + format_count(most / count) + " that the file can hold",
                 format_count(size));
    }
    sizes.push_back(size);
    count *= size;
  }
  if (!file.compressed() && count != most) {
    fail_field(file, "sizes " + c10::str(at::IntArrayRef(sizes)),
               format_count(count) + " bytes of values", format_count(most));
  }
  return sizes;
}

}  // namespace

at::Tensor read_idx(const std::filesystem::path& path) {
  ImageFile file(path);
  const std::vector<int64_t> sizes = read_sizes(file);
  const int64_t count = c10::multiply_integers(sizes);
  const at::Tensor values = file.read(count);
  if (values.size(0) == count && file.at_end()) return values.view(sizes);
  fail_field(file, "sizes " + c10::str(at::IntArrayRef(sizes)),
             format_count(count) + " bytes of values",
             values.size(0) < count ? format_count(values.size(0)) : "more");
}

}  // namespace contraflow::data::images
