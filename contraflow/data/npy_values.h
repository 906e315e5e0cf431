#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "contraflow/data/npy_file.h"

namespace contraflow::data {

static_assert(std::endian::native == std::endian::little, "byte swapping below assumes it");

/// One value from where it lies in a file.
template <class T>
T load_value(const char* bytes, bool swap) {
  std::array<char, sizeof(T)> raw;
  std::memcpy(raw.data(), bytes, sizeof(T));
  if (swap) std::reverse(raw.begin(), raw.end());
  T value;
  std::memcpy(&value, raw.data(), sizeof(T));
  return value;
}

/// float64 holds the integer and all between it and zero.
template <class T>
constexpr bool is_exact(T value) {
  if constexpr (std::is_integral_v<T> && sizeof(T) == 8) {
    constexpr auto kMost = T{1} << 53;
    if constexpr (std::is_signed_v<T>) return value >= -kMost && value <= kMost;
    return value <= kMost;
  }
  return true;
}

/// Converts values of a column to float64, to out[0], out[stride], ...; integers beyond 2^53 become NaN.
void to_doubles(const NpyValues& values, double* out, int64_t stride);
/// The shortest digits of each value.
void append_texts(const NpyValues& values, std::vector<std::string>& out);

}  // namespace contraflow::data
