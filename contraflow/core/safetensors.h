#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow {

/// Named tensors and text, as one safetensors file holds them (docs/checkpoint_format.md).
/// Types: float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool.
struct SafetensorsFile {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Writes the file whole or not at all (AtomicFile), with checksums. Equal contents give equal
/// bytes: widest types first, then by name. Tensors on other devices and with other strides are
/// copied one at a time. Throws DtypeError for a type outside the list, IoError as AtomicFile does.
CF_EXPORT void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

/// Reads tensors to the CPU, and holds them against the checksums if the file has any (those of
/// other programs have none). The file is not trusted: whatever is in it, the outcome is its tensors
/// or an IoError, and memory stays below a small multiple of the file's size.
CF_EXPORT SafetensorsFile read_safetensors(const std::filesystem::path& path);

/// The bytes of the file that write_safetensors() writes, and back; `name` stands for the file in
/// errors. The tensors are copies.
CF_EXPORT std::string safetensors_to_bytes(const SafetensorsFile& file);
CF_EXPORT SafetensorsFile safetensors_from_bytes(std::string_view bytes,
                                                 std::string_view name = "bytes");

/// What read_safetensors would return, without reading tensor data.
struct SafetensorsEntry {
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
  int64_t offset = 0;  ///< Bytes from the start of the file.
  int64_t bytes = 0;
  std::optional<uint32_t> checksum = std::nullopt;  ///< CRC-32 of name, type and bytes.
};
struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
};
CF_EXPORT SafetensorsHeader read_safetensors_header(const std::filesystem::path& path);

}  // namespace contraflow
