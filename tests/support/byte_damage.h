#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace contraflow::testing {

/// Calls `visit(bytes, what)` for everything that one fault of a disk or a transfer makes of `good`:
/// every truncation, every flipped bit, every inverted byte, every byte lost and every byte doubled.
inline void for_each_damage(
    const std::string& good,
    const std::function<void(const std::string& bytes, const std::string& what)>& visit) {
  for (size_t i = 0; i < good.size(); ++i) {
    const std::string place = " " + std::to_string(i) + " of " + std::to_string(good.size());
    visit(good.substr(0, i), "cut off at byte" + place);
    for (const int mask : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ mask);
      visit(bad, "mask " + std::to_string(mask) + " on byte" + place);
    }
    std::string bad = good;
    visit(bad.erase(i, 1), "without byte" + place);
    bad = good;
    visit(bad.insert(i, 1, good[i]), "twice byte" + place);
  }
}

}  // namespace contraflow::testing
