#include "contraflow/core/safetensors_checksum.h"

#include <charconv>
#include <cstdio>

namespace contraflow::detail {

uint32_t metadata_checksum(const std::map<std::string, std::string>& metadata) {
  const std::string_view zero("\0", 1);
  uint32_t out = 0;
  for (const auto& [key, value] : metadata) {
    if (key == kChecksumKey) continue;
    for (const std::string_view part :
         {std::string_view(key), zero, std::string_view(value), zero}) {
      out = crc32(part, out);
    }
  }
  return out;
}

std::string checksums_text(const std::vector<uint32_t>& checksums) {
  std::string out;
  for (const uint32_t checksum : checksums) {
    char digits[10];
    std::snprintf(digits, sizeof(digits), "%s%08x", out.empty() ? "" : " ", checksum);
    out += digits;
  }
  return out;
}

std::optional<std::vector<uint32_t>> parse_checksums(std::string_view text) {
  std::vector<uint32_t> out;
  for (size_t at = 0; at < text.size(); at += 9) {
    uint32_t value = 0;
    std::from_chars(text.data() + at, text.data() + text.size(), value, 16);
    out.push_back(value);
  }
  if (checksums_text(out) != text) return std::nullopt;
  return out;
}

}  // namespace contraflow::detail
