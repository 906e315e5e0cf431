#include "contraflow/core/device.h"

#include <ATen/Context.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/dtype.h"
#include "contraflow/core/error.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Device, CpuIsAlwaysThereAndAutoTakesTheCardIfThereIsOne) {
  EXPECT_TRUE(resolve_device(DeviceKind::kCpu, "x").is_cpu());
  EXPECT_EQ(resolve_device(DeviceKind::kAuto, "x").is_cuda(), at::hasCUDA());
}

TEST(Device, CudaWithoutACardIsAnErrorThatSaysWhatIsMissing) {
  if (at::hasCUDA()) {
    EXPECT_TRUE(resolve_device(DeviceKind::kCuda, "x").is_cuda());
    return;
  }
  EXPECT_THAT(testing::error_of<ConfigError>([] { resolve_device(DeviceKind::kCuda, "train"); }),
              AllOf(HasSubstr("[train] device: expected a CUDA card for \"cuda\", got "),
                    HasSubstr("use \"cpu\" or \"auto\"")));
}

TEST(FloatTypes, AreThoseOfLibTorch) {
  EXPECT_EQ(scalar_type(FloatType::kFloat32), at::kFloat);
  EXPECT_EQ(scalar_type(FloatType::kFloat64), at::kDouble);
}

}  // namespace
}  // namespace contraflow
