#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/crc32.h"

namespace contraflow::detail {

/// Key of the metadata that holds the checksums, eight hexadecimal digits each: first that of the
/// other metadata, then one for each tensor in the order of the header (docs/checkpoint_format.md).
inline constexpr const char* kChecksumKey = "crc32";

/// Of every key and value but kChecksumKey, each with a zero byte after it.
uint32_t metadata_checksum(const std::map<std::string, std::string>& metadata);

/// Of a tensor's name and type, to be continued over its bytes.
inline uint32_t tensor_checksum(std::string_view name, std::string_view type,
                                std::string_view bytes) {
  return crc32(bytes, crc32(type, crc32(name)));
}

std::string checksums_text(const std::vector<uint32_t>& checksums);

/// Nothing for other text than checksums_text() writes.
std::optional<std::vector<uint32_t>> parse_checksums(std::string_view text);

}  // namespace contraflow::detail
