#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <bit>
#include <string_view>

namespace contraflow::detail {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

struct SafetensorsType {
  std::string_view name;
  at::ScalarType dtype;
  int64_t bytes;
};

/// Widest first: in this order tensors stay aligned to their element size.
inline constexpr std::array kSafetensorsTypes{
    SafetensorsType{"F64", at::kDouble, 8}, SafetensorsType{"I64", at::kLong, 8},
    SafetensorsType{"F32", at::kFloat, 4},  SafetensorsType{"I32", at::kInt, 4},
    SafetensorsType{"F16", at::kHalf, 2},   SafetensorsType{"BF16", at::kBFloat16, 2},
    SafetensorsType{"I16", at::kShort, 2},  SafetensorsType{"I8", at::kChar, 1},
    SafetensorsType{"U8", at::kByte, 1},    SafetensorsType{"BOOL", at::kBool, 1},
};

inline constexpr std::string_view kSafetensorsTypeNames =
    "one of F64, I64, F32, I32, F16, BF16, I16, I8, U8, BOOL";

/// Longest header accepted, the limit of the public implementation too.
inline constexpr int64_t kSafetensorsMaxHeader = 100'000'000;

}  // namespace contraflow::detail
