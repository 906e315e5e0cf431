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

TEST(FlushSubnormals, ARunFlushesAndLeavesTheCallersArithmeticAlone) {
  SampleProgram<float> sample(1, 1);
  sample.add_affine();
  auto& affine = std::get<TileAffine>(sample.program.steps.back());
  affine.scale = {0.5};
  affine.shift = {0.0};
  const float x = kSmallest;
  float y = 1.0F;
  TileCall<float> call;
  call.program = &sample.program;
  call.batch = 1;
  call.x = &x;
  call.y = &y;
  run_tiles(call);
#ifdef __SSE2__
  EXPECT_EQ(y, 0.0F);
#endif
  EXPECT_GT(halved(kSmallest), 0.0F);
}

}  // namespace
}  // namespace contraflow::kernels
