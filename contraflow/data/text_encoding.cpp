#include "contraflow/data/text_encoding.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace contraflow::data {
namespace {

// What the first byte of a character says: how many more there are, and the range of the second, which
// leaves out longer forms than needed, halves of UTF-16 pairs, and what is above U+10FFFF.
struct Lead {
  size_t more = 0;  // 0: no first byte
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
};

Lead lead_of(uint8_t byte) {
  if (byte < 0xC2 || byte > 0xF4) return {};
  if (byte < 0xE0) return {1};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte < 0xF0) return {2};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {3};
}

// What Windows-1252 has at 0x80 to 0x9F, where Latin-1 has control characters that no text holds: files
// that are called Latin-1 are often this one. 0: nothing, so that Latin-1 counts.
constexpr std::array<uint16_t, 32> kWindows1252{
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

// A character from 0x80 to 0xFFFF as UTF-8.
void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0U | code >> 6U));
  } else {
    out.push_back(static_cast<char>(0xE0U | code >> 12U));
    out.push_back(static_cast<char>(0x80U | (code >> 6U & 0x3FU)));
  }
  out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
}

}  // namespace

bool is_utf8(std::string_view text, bool may_be_cut) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  for (size_t at = 0; at < text.size();) {
    if (byte(at) < 0x80) {
      ++at;
      continue;
    }
    const Lead lead = lead_of(byte(at));
    if (lead.more == 0) return false;
    const size_t stop = std::min(at + 1 + lead.more, text.size());
    for (size_t i = at + 1; i < stop; ++i) {
      const bool second = i == at + 1;
      if (byte(i) < (second ? lead.low : 0x80) || byte(i) > (second ? lead.high : 0xBF))
        return false;
    }
    if (stop - at < 1 + lead.more) return may_be_cut;
    at = stop;
  }
  return true;
}

std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto code = static_cast<uint8_t>(c);
    if (code < 0x80) {
      out.push_back(c);
    } else {
      const bool windows = code < 0xA0 && kWindows1252[code - 0x80U] != 0;
      append_utf8(out, windows ? kWindows1252[code - 0x80U] : code);
    }
  }
  return out;
}

}  // namespace contraflow::data
