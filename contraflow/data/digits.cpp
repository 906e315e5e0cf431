#include "contraflow/data/digits.h"

#include <ATen/ATen.h>

#include <charconv>
#include <span>
#include <string_view>

namespace contraflow::data {

namespace detail {
std::span<const std::string_view> digits_rows();  // made from builtin/digits.csv by the build
}

Digits load_digits() {
  at::Tensor values =
      at::empty({Digits::kRows, Digits::kPixels + 1}, at::TensorOptions().dtype(at::kLong));
  int64_t* out = values.data_ptr<int64_t>();
  for (const std::string_view row : detail::digits_rows()) {
    const char* at = row.data();
    const char* end = at + row.size();
    for (int64_t c = 0; c <= Digits::kPixels; ++c) {
      at = std::from_chars(at, end, *out++).ptr + 1;  // past the comma
    }
  }
  return {values.narrow(1, 0, Digits::kPixels).to(at::kDouble),
          values.select(1, Digits::kPixels).contiguous()};
}

}  // namespace contraflow::data
