#include "contraflow/core/crc32.h"

#include <array>
#include <bit>
#include <cstring>

namespace contraflow {
namespace {

static_assert(std::endian::native == std::endian::little, "eight bytes are taken as one integer");

constexpr size_t kStep = 8;
constexpr uint32_t kPolynomial = 0xEDB88320;  // 0x04C11DB7 with its bits reversed
using Table = std::array<uint32_t, 256>;

// tables[k][byte] is the remainder of the byte followed by k zero bytes.
constexpr std::array<Table, kStep> make_tables() {
  std::array<Table, kStep> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1U) ^ (kPolynomial & (0U - (rest & 1U)));
    tables[0][byte] = rest;
  }
  for (size_t k = 1; k < kStep; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t rest = tables[k - 1][byte];
      tables[k][byte] = (rest >> 8U) ^ tables[0][rest & 0xFFU];
    }
  }
  return tables;
}

constexpr std::array<Table, kStep> kTables = make_tables();

}  // namespace

uint32_t crc32(std::string_view bytes, uint32_t crc) {
  crc = ~crc;
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kStep; left -= kStep, at += kStep) {
    uint64_t word = 0;
    std::memcpy(&word, at, kStep);
    word ^= crc;
    crc = 0;
    for (size_t k = 0; k < kStep; ++k) crc ^= kTables[kStep - 1 - k][(word >> (8 * k)) & 0xFFU];
  }
  for (; left > 0; --left, ++at) {
    crc = (crc >> 8U) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFFU];
  }
  return ~crc;
}

}  // namespace contraflow
