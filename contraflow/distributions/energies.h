#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow {

/// The two-dimensional energies of Rezende and Mohamed 2015, table 1: densities known up to a
/// constant, p(x) = exp(-U(x)) / Z.
enum class EnergyKind {
  kU1,  ///< a ring of radius 2 with two modes
  kU2,  ///< a sine wave
  kU3,  ///< a sine wave that parts in two after a bump
  kU4,  ///< a sine wave that parts in two after a step
};

constexpr auto enum_names(EnergyKind) {
  return std::array{std::pair{"u1", EnergyKind::kU1}, std::pair{"u2", EnergyKind::kU2},
                    std::pair{"u3", EnergyKind::kU3}, std::pair{"u4", EnergyKind::kU4}};
}

/// The energy called `name`, "u1" to "u4"; none for another name.
CF_EXPORT std::optional<EnergyKind> find_energy(std::string_view name);

/// U(x), [B], for x [B, 2] of any floating dtype; differentiable.
///
/// U2 to U4 do not fall off along the first axis: as printed they have no normalising constant. The
/// papers draw them on [-4, 4]; here a wall  ((|x_1| - 4)_+ / 0.4)^2 / 2  makes densities of them
/// that are unchanged inside.
///
/// Throws     ShapeError for another shape.
CF_EXPORT at::Tensor energy(EnergyKind kind, const at::Tensor& x);

/// log Z by a midpoint grid on [-8, 8]^2; error below 1e-6. Cost: a million evaluations.
CF_EXPORT double log_normaliser(EnergyKind kind);

}  // namespace contraflow
