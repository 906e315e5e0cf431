#pragma once

#include "contraflow/core/options.h"

namespace contraflow {

/// Which 2x2 matrix a contractive block has; block_form() gives its numbers.
enum class FormKind { kResidual, kInverseResidual, kMonotone, kCustom };

constexpr auto enum_names(FormKind) {
  return std::array{std::pair{"residual", FormKind::kResidual},
                    std::pair{"inverse_residual", FormKind::kInverseResidual},
                    std::pair{"monotone", FormKind::kMonotone},
                    std::pair{"custom", FormKind::kCustom}};
}

}  // namespace contraflow
