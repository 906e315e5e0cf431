#include "contraflow/core/crc32.h"

#include <gtest/gtest.h>

#include <string>

namespace contraflow {
namespace {

// The check value that every table of CRCs lists, and values of Python's zlib.crc32().
TEST(Crc32, KnownValues) {
  EXPECT_EQ(crc32(""), 0U);
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);
  EXPECT_EQ(crc32("The quick brown fox jumps over the lazy dog"), 0x414FA339U);
  EXPECT_EQ(crc32(std::string(1000, '\xFF')), 0xE0533230U);
}

TEST(Crc32, GoesOnFromTheBytesBefore) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc32(text.substr(cut), crc32(text.substr(0, cut))), crc32(text)) << cut;
  }
}

TEST(Crc32, EveryBitCounts) {
  const std::string good(67, 'x');
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      EXPECT_NE(crc32(bad), crc32(good)) << i << "." << bit;
    }
  }
}

}  // namespace
}  // namespace contraflow
