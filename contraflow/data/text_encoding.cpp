#include "contraflow/data/text_encoding.h"

#include <algorithm>
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
      out.push_back(static_cast<char>(0xC0U | code >> 6U));
      out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
    }
  }
  return out;
}

}  // namespace contraflow::data
