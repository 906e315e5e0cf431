#pragma once

#include <c10/core/ScalarType.h>

#include <array>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"

namespace contraflow {

/// The types that parameters and data may have, as options name them.
enum class FloatType { kFloat32, kFloat64 };
constexpr auto enum_names(FloatType) {
  return std::array{std::pair{"float32", FloatType::kFloat32},
                    std::pair{"float64", FloatType::kFloat64}};
}

/// LibTorch's name of the type.
CF_EXPORT at::ScalarType scalar_type(FloatType type);

}  // namespace contraflow
