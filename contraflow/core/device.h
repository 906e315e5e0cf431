#pragma once

#include <c10/core/Device.h>

#include <array>
#include <string_view>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"

namespace contraflow {

/// Where tensors live and are computed, as options and `--device` name it.
enum class DeviceKind {
  kAuto,  ///< The first graphics card where there is one, else the CPU.
  kCpu,
  kCuda,  ///< The current graphics card.
};
constexpr auto enum_names(DeviceKind) {
  return std::array{std::pair{"auto", DeviceKind::kAuto}, std::pair{"cpu", DeviceKind::kCpu},
                    std::pair{"cuda", DeviceKind::kCuda}};
}

/// The device that is meant. `where` starts the message.
/// Throws     ConfigError: kCuda with a LibTorch that was built without CUDA, or on a machine
///            without a card that LibTorch can use.
CF_EXPORT at::Device resolve_device(DeviceKind kind, std::string_view where);

}  // namespace contraflow
