#include "contraflow/kernels/tile/flush_subnormals.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/kernels/program_cases.h"

namespace contraflow::kernels {
namespace {

float halved(float x) {
  volatile float from = x;  // computed here and now
  volatile float half = from * 0.5F;
  return half;
}

constexpr float kSmallest = std::numeric_limits<float>::min();

TEST(FlushSubnormals, LastsAsLongAsItsScope) {
  EXPECT_GT(halved(kSmallest), 0.0F);
  {
    const ScopedFlushSubnormals flush;
#ifdef __SSE2__
    EXPECT_EQ(halved(kSmallest), 0.0F);
#endif
    EXPECT_GT(halved(3 * kSmallest), 0.0F);
  }
  EXPECT_GT(halved(kSmallest), 0.0F);
}

TEST(FlushSubnormals, ARunLeavesTheCallersArithmeticAlone) {
  SampleProgram<float> sample(3, 64);
  build_series(sample, /*counts=*/true);
  run_both_halves(sample, on_cpu<float>());
  EXPECT_GT(halved(kSmallest), 0.0F);
}

}  // namespace
}  // namespace contraflow::kernels
