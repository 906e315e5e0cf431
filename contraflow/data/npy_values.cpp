#include "contraflow/data/npy_values.h"

#include <ATen/core/Tensor.h>

#include <limits>

#include "contraflow/data/cells.h"

namespace contraflow::data {
namespace {

// Calls `take(row, value)` for each value, in its own type.
template <class T, class Take>
void each_of(const NpyValues& values, Take&& take) {
  for (int64_t r = 0; r < values.rows; ++r) {
    take(r, load_value<T>(values.bytes + r * values.stride, values.type.big_endian));
  }
}

template <class Take>
void each_value(const NpyValues& values, Take&& take) {
  const int64_t bytes = values.type.item_bytes;
  if (values.type.kind == 'f') {
    if (bytes == 2) return each_of<at::Half>(values, take);
    if (bytes == 4) return each_of<float>(values, take);
    return each_of<double>(values, take);
  }
  if (values.type.kind == 'i') {
    if (bytes == 1) return each_of<int8_t>(values, take);
    if (bytes == 2) return each_of<int16_t>(values, take);
    if (bytes == 4) return each_of<int32_t>(values, take);
    return each_of<int64_t>(values, take);
  }
  if (bytes == 1) return each_of<uint8_t>(values, take);
  if (bytes == 2) return each_of<uint16_t>(values, take);
  if (bytes == 4) return each_of<uint32_t>(values, take);
  return each_of<uint64_t>(values, take);
}

}  // namespace

void to_doubles(const NpyValues& values, double* out, int64_t stride) {
  each_value(values, [&](int64_t r, auto value) {
    out[r * stride] =
        is_exact(value) ? static_cast<double>(value) : std::numeric_limits<double>::quiet_NaN();
  });
}

void append_texts(const NpyValues& values, std::vector<std::string>& out) {
  each_value(values, [&](int64_t, auto value) {
    if constexpr (std::is_integral_v<decltype(value)>) {
      out.push_back(std::to_string(value));
    } else if constexpr (std::is_same_v<decltype(value), double>) {
      out.push_back(shortest(value));
    } else {
      out.push_back(shortest(static_cast<float>(value)));
    }
  });
}

}  // namespace contraflow::data
