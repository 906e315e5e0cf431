#include "contraflow/core/device.h"

#include <ATen/Context.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

// The library of LibTorch's CUDA half registers its guard when it is loaded.
bool built_with_cuda() { return c10::impl::hasDeviceGuardImpl(at::kCUDA); }

bool has_card() { return built_with_cuda() && at::hasCUDA(); }

at::Device current_card() { return c10::impl::getDeviceGuardImpl(at::kCUDA)->getDevice(); }

}  // namespace

at::Device resolve_device(DeviceKind kind, std::string_view where) {
  if (kind == DeviceKind::kCpu || (kind == DeviceKind::kAuto && !has_card())) return at::kCPU;
  if (has_card()) return current_card();
  const char* got =
      built_with_cuda() ? "no card that LibTorch can use" : "a build for the CPU alone";
  fail<ConfigError>(where, "device", "a CUDA card for \"cuda\"", got,
                    built_with_cuda()
                        ? "Check the driver with nvidia-smi, or use \"cpu\" or \"auto\"."
                        : "Build with a LibTorch for CUDA, or use \"cpu\" or \"auto\".");
}

}  // namespace contraflow
