#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/json.h"
#include "contraflow/core/safetensors.h"
#include "contraflow/core/safetensors_checksum.h"
#include "contraflow/core/safetensors_types.h"
#include "contraflow/core/text.h"

namespace contraflow {
namespace {

using detail::kSafetensorsTypes;
using Json = nlohmann::ordered_json;

constexpr int64_t kPrefixBytes = 8;
constexpr const char* kRemedy =
    "The file is damaged or not safetensors; take another copy or write it again.";

/// Where the bytes come from.
class Input {
 public:
  virtual ~Input() = default;
  virtual std::string name() const = 0;
  virtual int64_t size() const = 0;
  virtual void read_at(int64_t offset, std::span<char> out) const = 0;
};

class FileInput final : public Input {
 public:
  explicit FileInput(const std::filesystem::path& path) : file_(path) {}
  std::string name() const override { return file_.path().string(); }
  int64_t size() const override { return file_.size(); }
  void read_at(int64_t offset, std::span<char> out) const override { file_.read_at(offset, out); }

 private:
  InputFile file_;
};

class MemoryInput final : public Input {
 public:
  MemoryInput(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}
  std::string name() const override { return name_; }
  int64_t size() const override { return std::ssize(bytes_); }
  // Within the bytes: the header was checked against size().
  void read_at(int64_t offset, std::span<char> out) const override {
    bytes_.copy(out.data(), out.size(), static_cast<size_t>(offset));
  }

 private:
  std::string_view bytes_;
  std::string name_;
};

/// Checks one file's header against the file's size.
class HeaderReader {
 public:
  explicit HeaderReader(const Input& file) : file_(file) {}

  SafetensorsHeader read() {
    const Json json = parse_header();
    SafetensorsHeader header;
    std::vector<std::string> order;
    for (const auto& [name, value] : json.items()) {
      if (name == "__metadata__") {
        header.metadata = read_metadata(value);
      } else {
        header.entries.emplace(name, read_entry(name, value));
        order.push_back(name);
      }
    }
    take_checksums(header, order);
    check_layout(header);
    return header;
  }

 private:
  [[noreturn]] void refuse(const std::string& name, const std::string& expected,
                           const std::string& got) const {
    fail<IoError>(file_.name(), shorten(name), expected, got, kRemedy);
  }

  Json parse_header() {
    if (file_.size() < kPrefixBytes) {
      refuse("file", "at least 8 bytes", std::to_string(file_.size()));
    }
    uint64_t length = 0;
    std::array<char, kPrefixBytes> prefix{};
    file_.read_at(0, prefix);
    std::memcpy(&length, prefix.data(), sizeof(length));
    const auto room =
        static_cast<uint64_t>(std::min(file_.size() - kPrefixBytes, detail::kSafetensorsMaxHeader));
    if (length < 2 || length > room) {
      refuse("header length", "2 to " + std::to_string(room), std::to_string(length));
    }
    data_begin_ = kPrefixBytes + static_cast<int64_t>(length);
    std::string text(length, '\0');
    file_.read_at(kPrefixBytes, text);
    if (text.front() != '{') refuse("header", "a JSON object", "'" + shorten(text, 20) + "'");
    try {
      return parse_json(text, "header");
    } catch (const ConfigError& error) {
      refuse("header", "valid JSON", error.what());
    }
  }

  std::map<std::string, std::string> read_metadata(const Json& json) const {
    if (!json.is_object()) refuse("__metadata__", "an object", shorten(json_text(json)));
    std::map<std::string, std::string> metadata;
    for (const auto& [key, value] : json.items()) {
      if (!value.is_string()) {
        refuse("__metadata__." + key, "text", shorten(json_text(value)));
      }
      metadata.emplace(key, value.get<std::string>());
    }
    return metadata;
  }

  // Moves the checksums from the metadata, if there are any, to the tensors of the header's `order`.
  void take_checksums(SafetensorsHeader& header, const std::vector<std::string>& order) const {
    const auto found = header.metadata.find(detail::kChecksumKey);
    if (found == header.metadata.end()) return;
    const auto checksums = detail::parse_checksums(found->second);
    header.metadata.erase(found);
    if (!checksums || checksums->size() != order.size() + 1) {
      refuse("__metadata__.crc32",
             std::to_string(order.size() + 1) + " checksums of eight hexadecimal digits",
             checksums ? std::to_string(checksums->size()) : "other text");
    }
    if (checksums->front() != detail::metadata_checksum(header.metadata)) {
      refuse("__metadata__", "the text that its checksum is of", "other text");
    }
    for (size_t k = 0; k < order.size(); ++k)
      header.entries[order[k]].checksum = (*checksums)[k + 1];
  }

  // A non-negative int64, or refuse().
  int64_t read_size(const std::string& name, const Json& json) const {
    const bool good = json.is_number_unsigned() && std::in_range<int64_t>(json.get<uint64_t>());
    if (!good) refuse(name, "an integer from 0 to 2^63 - 1", shorten(json_text(json)));
    return json.get<int64_t>();
  }

  std::vector<int64_t> read_sizes(const std::string& name, const Json& json) const {
    if (!json.is_array()) refuse(name, "a list of integers", shorten(json_text(json)));
    // LibTorch allows more, but nothing has them, and each costs time.
    if (json.size() > 64) refuse(name, "at most 64 values", std::to_string(json.size()));
    std::vector<int64_t> sizes;
    for (const Json& value : json) sizes.push_back(read_size(name, value));
    return sizes;
  }

  SafetensorsEntry read_entry(const std::string& name, const Json& json) const {
    if (!json.is_object()) refuse(name, "an object", shorten(json_text(json)));
    for (const auto& [key, value] : json.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        refuse(name, "only dtype, shape and data_offsets", "'" + shorten(key) + "'");
      }
    }
    for (const char* key : {"dtype", "shape", "data_offsets"}) {
      if (!json.contains(key)) refuse(name, std::string("the key ") + key, "none");
    }
    const Json& type_name = json["dtype"];
    const auto type = std::find_if(kSafetensorsTypes.begin(), kSafetensorsTypes.end(),
                                   [&](const auto& t) { return type_name == t.name; });
    if (type == kSafetensorsTypes.end()) {
      refuse(name + ".dtype", std::string(detail::kSafetensorsTypeNames),
             shorten(json_text(type_name)));
    }
    const std::vector<int64_t> offsets = read_sizes(name + ".data_offsets", json["data_offsets"]);
    if (offsets.size() != 2 || offsets[0] > offsets[1]) {
      refuse(name + ".data_offsets", "[begin, end] with begin <= end",
             json_text(json["data_offsets"]));
    }
    SafetensorsEntry entry;
    entry.dtype = type->dtype;
    entry.shape = read_sizes(name + ".shape", json["shape"]);
    entry.offset = offsets[0];
    entry.bytes = offsets[1] - offsets[0];
    check_shape(name, entry, type->bytes);
    return entry;
  }

  void check_shape(const std::string& name, const SafetensorsEntry& entry,
                   int64_t element_bytes) const {
    int64_t bytes = element_bytes;
    // Products are taken of the non-zero sizes, as LibTorch's strides are, so that [0, 2^62, 8] is
    // refused here and not by an overflow later.
    for (const int64_t size : entry.shape) {
      if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes)) {
        refuse(name + ".shape", "a size below 2^63 bytes", shape_text(entry.shape));
      }
    }
    const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
    if (empty) bytes = 0;
    if (bytes != entry.bytes) {
      refuse(name + ".data_offsets",
             std::to_string(bytes) + " bytes for shape " + shape_text(entry.shape),
             std::to_string(entry.bytes));
    }
  }

  static std::string shape_text(const std::vector<int64_t>& shape) {
    return shorten(json_text(Json(shape)));
  }

  // Tensors must tile the data: no overlap, no hole, nothing after the end. Offsets become those
  // of the file.
  void check_layout(SafetensorsHeader& header) const {
    std::vector<std::pair<const std::string*, SafetensorsEntry*>> order;
    for (auto& [name, entry] : header.entries) order.emplace_back(&name, &entry);
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second->offset, a.second->bytes) <
             std::pair(b.second->offset, b.second->bytes);
    });
    const int64_t room = file_.size() - data_begin_;
    int64_t end = 0;
    for (const auto& [name, entry] : order) {
      if (entry->offset != end) {
        refuse(*name + ".data_offsets", "to begin at " + std::to_string(end),
               std::to_string(entry->offset) +
                   (entry->offset < end ? ", an overlap" : ", a hole in the data"));
      }
      end += entry->bytes;  // Cannot overflow: every end was read as an int64.
      if (end > room) {
        refuse(*name + ".data_offsets", "at most " + std::to_string(room) + " bytes of data",
               std::to_string(end) + ", past the end of the file");
      }
      entry->offset += data_begin_;
    }
    if (end != room) {
      refuse("file", std::to_string(data_begin_ + end) + " bytes, as its header says",
             std::to_string(file_.size()));
    }
  }

  const Input& file_;
  int64_t data_begin_ = 0;
};

void check_tensor(const Input& file, const std::string& name, const SafetensorsEntry& entry,
                  std::string_view bytes) {
  const auto type = std::find_if(kSafetensorsTypes.begin(), kSafetensorsTypes.end(),
                                 [&](const auto& t) { return t.dtype == entry.dtype; });
  const uint32_t got = detail::tensor_checksum(name, type->name, bytes);
  if (!entry.checksum || *entry.checksum == got) return;
  fail<IoError>(file.name(), shorten(name), "checksum " + detail::checksums_text({*entry.checksum}),
                detail::checksums_text({got}),
                "The file is damaged; take another copy. If another program changed it on purpose, "
                "remove crc32 from its metadata.");
}

at::Tensor read_tensor(const Input& file, const std::string& name, const SafetensorsEntry& entry) {
  at::Tensor tensor;
  try {
    tensor = at::empty(entry.shape, at::TensorOptions().dtype(entry.dtype));
  } catch (const std::exception&) {
    fail<IoError>(file.name(), shorten(name), "room in memory for the tensor",
                  format_bytes(entry.bytes) + " that cannot be had",
                  "Free memory, or read the file on a larger machine.");
  }
  const std::span<char> bytes(static_cast<char*>(tensor.mutable_data_ptr()),
                              static_cast<size_t>(entry.bytes));
  file.read_at(entry.offset, bytes);
  check_tensor(file, name, entry, {bytes.data(), bytes.size()});
  // Any other byte would be a bool that is neither true nor false.
  if (entry.dtype == at::kBool && tensor.view(at::kByte).gt(1).any().item<bool>()) {
    fail<IoError>(file.name(), shorten(name), "BOOL bytes 0 or 1", "another value", kRemedy);
  }
  return tensor;
}

SafetensorsFile read_all(const Input& file) {
  SafetensorsHeader header = HeaderReader(file).read();
  SafetensorsFile out;
  out.metadata = std::move(header.metadata);
  for (const auto& [name, entry] : header.entries) {
    out.tensors.emplace(name, read_tensor(file, name, entry));
  }
  return out;
}

}  // namespace

SafetensorsHeader read_safetensors_header(const std::filesystem::path& path) {
  return HeaderReader(FileInput(path)).read();
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  return read_all(FileInput(path));
}

SafetensorsFile safetensors_from_bytes(std::string_view bytes, std::string_view name) {
  return read_all(MemoryInput(bytes, name));
}

}  // namespace contraflow
