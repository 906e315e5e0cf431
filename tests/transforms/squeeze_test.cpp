#include "contraflow/transforms/squeeze.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(Squeeze, MovesEachSquareOfPixelsIntoChannels) {
  const Squeeze map({.event = {2, 4, 6}});
  EXPECT_EQ(map.latent_shape(), (std::vector<int64_t>{8, 2, 3}));
  const at::Tensor x = at::arange(3 * 48, at::kDouble).view({3, 2, 4, 6});
  const TransformOutput out = map.forward(x);
  for (const int64_t c : {0, 1}) {
    for (const int64_t i : {0, 1}) {
      for (const int64_t j : {0, 1}) {
        const at::Tensor channel = out.value.select(1, c * 4 + i * 2 + j);
        const at::Tensor pixels = x.select(1, c).slice(1, i, 4, 2).slice(2, j, 6, 2);
        EXPECT_TRUE(at::equal(channel, pixels)) << c << " " << i << " " << j;
      }
    }
  }
  EXPECT_TRUE(at::equal(out.log_det, at::zeros({3}, at::kDouble)));
  EXPECT_TRUE(at::equal(map.inverse(out.value).value, x));
}

TEST(Squeeze, TakesOtherFactors) {
  const Squeeze map({.event = {1, 6, 9}, .factor = 3});
  EXPECT_EQ(map.latent_shape(), (std::vector<int64_t>{9, 2, 3}));
  const at::Tensor x = at::rand({2, 1, 6, 9});
  EXPECT_TRUE(at::equal(map.inverse(map.forward(x).value).value, x));
}

TEST(Squeeze, RefusesEventsThatDoNotFit) {
  EXPECT_THAT(error_of<ConfigError>([] {
                Squeeze({.event = {3, 5, 4}});
              }),
              HasSubstr("sides that 2 divides, got [3, 5, 4]"));
  EXPECT_THAT(error_of<ConfigError>([] { Squeeze({.event = 12}); }), HasSubstr("got 12"));
  EXPECT_THAT(error_of<ConfigError>([] { Squeeze({}); }), HasSubstr("event"));
}

}  // namespace
}  // namespace contraflow
