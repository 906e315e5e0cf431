#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/safetensors.h"
#include "contraflow/core/safetensors_checksum.h"
#include "contraflow/core/safetensors_types.h"
#include "contraflow/core/text.h"

namespace contraflow {
namespace {

using detail::kSafetensorsTypes;
using Json = nlohmann::ordered_json;

constexpr const char* kWhere = "write_safetensors";

struct Item {
  const std::string* name;
  const at::Tensor* tensor;
  size_t type;  // Index into kSafetensorsTypes.
};

size_t type_index(const std::string& name, const at::Tensor& tensor) {
  if (!tensor.defined()) {
    fail<DtypeError>(kWhere, shorten(name), "a tensor", "an undefined one", "Leave it out.");
  }
  const auto found = std::find_if(kSafetensorsTypes.begin(), kSafetensorsTypes.end(),
                                  [&](const auto& t) { return t.dtype == tensor.scalar_type(); });
  if (found == kSafetensorsTypes.end()) {
    fail<DtypeError>(kWhere, shorten(name), detail::kSafetensorsTypeNames,
                     c10::toString(tensor.scalar_type()), "Convert it with .to(dtype).");
  }
  return static_cast<size_t>(found - kSafetensorsTypes.begin());
}

std::vector<Item> sorted_items(const SafetensorsFile& file) {
  std::vector<Item> items;
  for (const auto& [name, tensor] : file.tensors) {
    if (name == "__metadata__") {
      fail<ConfigError>(kWhere, name, "another name", "the one the format reserves", "Rename it.");
    }
    items.push_back({&name, &tensor, type_index(name, tensor)});
  }
  if (file.metadata.contains(detail::kChecksumKey)) {
    fail<ConfigError>(kWhere, std::string("metadata '") + detail::kChecksumKey + "'", "another key",
                      "the one that holds the checksums", "Rename it.");
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.type < b.type; });
  return items;
}

/// The tensor's bytes as the file has them; `held` keeps them alive.
std::string_view bytes_of(const Item& item, at::Tensor& held) {
  held = item.tensor->detach().to(at::kCPU).contiguous();
  return {static_cast<const char*>(held.const_data_ptr()), held.nbytes()};
}

// The header comes before the data, so the tensors are gone through twice.
std::string checksums_of(const std::vector<Item>& items, const SafetensorsFile& file) {
  std::vector<uint32_t> out{detail::metadata_checksum(file.metadata)};
  at::Tensor held;
  for (const Item& item : items) {
    out.push_back(detail::tensor_checksum(*item.name, kSafetensorsTypes[item.type].name,
                                          bytes_of(item, held)));
  }
  return detail::checksums_text(out);
}

// Throws on text that is not UTF-8, which JSON cannot carry.
std::string header_text(const std::vector<Item>& items, const SafetensorsFile& file) {
  Json header = Json::object();
  std::map<std::string, std::string> metadata = file.metadata;
  if (!metadata.empty() || !items.empty())
    metadata[detail::kChecksumKey] = checksums_of(items, file);
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const Item& item : items) {
    const auto& type = kSafetensorsTypes[item.type];
    const int64_t end = offset + item.tensor->numel() * type.bytes;
    header[*item.name] = {{"dtype", type.name},
                          {"shape", item.tensor->sizes().vec()},
                          {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::type_error&) {
    fail<ConfigError>(kWhere, "names and metadata", "UTF-8 text", "other bytes",
                      "Encode binary values as text first.");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  if (std::ssize(text) > detail::kSafetensorsMaxHeader) {
    fail<ConfigError>(kWhere, "names and metadata",
                      "at most " + format_bytes(detail::kSafetensorsMaxHeader),
                      format_bytes(std::ssize(text)), "Store large values as tensors.");
  }
  return text;
}

// Gives the bytes of the file to `write`, piece by piece.
template <class Write>
void serialise(const SafetensorsFile& file, Write write) {
  const std::vector<Item> items = sorted_items(file);
  const std::string header = header_text(items, file);
  const auto length = static_cast<uint64_t>(header.size());
  std::array<char, sizeof(length)> prefix{};
  std::memcpy(prefix.data(), &length, sizeof(length));
  write(std::string_view(prefix.data(), prefix.size()));
  write(std::string_view(header));
  for (const Item& item : items) {
    at::Tensor held;
    write(bytes_of(item, held));
  }
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  AtomicFile out(path);
  serialise(file, [&out](std::string_view bytes) { out.write(bytes); });
  out.commit();
}

std::string safetensors_to_bytes(const SafetensorsFile& file) {
  std::string out;
  serialise(file, [&out](std::string_view bytes) { out.append(bytes); });
  return out;
}

}  // namespace contraflow
