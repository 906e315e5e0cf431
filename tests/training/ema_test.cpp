#include "contraflow/training/ema.h"

#include <cmath>

#include "tests/support/tensors.h"
#include "tests/training/same_bits.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::near;
using testing::Normed;
using testing::same_bits;
using testing::small_flow;

constexpr double kFloatRounding = 1e-6;

void set_all(const FlatParameters& flat, double value) {
  const at::NoGradGuard no_grad;
  for (at::Tensor v : flat.values()) v.fill_(value);
}

TEST(Ema, IsTheNormalisedExponentialSumFromTheFirstUpdate) {
  const FlowPtr flow = small_flow();
  const FlatParameters flat(*flow);
  Ema ema(flat, 0.8);
  double sum = 0.0, weight = 0.0;
  for (int i = 1; i <= 6; ++i) {
    set_all(flat, i * i);
    ema.update();
    sum = 0.8 * sum + i * i;
    weight = 0.8 * weight + 1.0;
    EXPECT_NEAR(ema.values()[0][0].item<float>(), sum / weight, 40 * kFloatRounding) << i;
  }
}

TEST(Ema, DecayZeroIsTheNewestValue) {
  const FlowPtr flow = small_flow();
  const FlatParameters flat(*flow);
  Ema ema(flat, 0.0);
  set_all(flat, 2.0);
  ema.update();
  set_all(flat, 5.0);
  ema.update();
  EXPECT_EQ(ema.values()[0][0].item<float>(), 5.0F);
}

FlowPtr prepared_flow() {
  const FlowPtr flow = small_flow();
  flow->prepare(Rng(3).normal({50, 2}, at::kFloat));
  return flow;
}

TEST(EvaluationScope, HoldsTheAverageWithItsOwnBuffersAndPutsEverythingBack) {
  const FlowPtr flow = prepared_flow();
  const FlatParameters flat(*flow);
  Ema ema(flat, 0.5);
  ema.update();
  set_all(flat, 3.0);
  const NamedTensors before = clone_state(state_of(*flow));
  const double stale = before.at("transform.1.bound").item<double>();
  {
    const EvaluationScope scope(*flow, flat, &ema, [&] { refresh_state(*flow); });
    const NamedTensors now = state_of(*flow);
    EXPECT_TRUE(
        at::equal(now.at("transform.1.weight"), flat.named(ema.values()).at("transform.1.weight")));
    const double fresh = 0.5 * stale + 0.5 * Normed::fresh_bound(now.at("transform.1.weight"));
    EXPECT_NEAR(now.at("transform.1.bound").item<double>(), fresh, kFloatRounding);
  }
  EXPECT_TRUE(same_bits(state_of(*flow), before));
}

TEST(EvaluationScope, WithoutAverageRefreshesTheBuffersOfTheWeights) {
  const FlowPtr flow = prepared_flow();
  const FlatParameters flat(*flow);
  set_all(flat, 3.0);
  const NamedTensors before = clone_state(state_of(*flow));
  {
    const EvaluationScope scope(*flow, flat, nullptr, [&] { refresh_state(*flow); });
    EXPECT_GT(state_of(*flow).at("transform.1.bound").item<double>(), 2.0);
    EXPECT_EQ(state_of(*flow).at("transform.1.weight")[0].item<float>(), 3.0F);
  }
  EXPECT_TRUE(same_bits(state_of(*flow), before));
}

TEST(EvaluationScope, PutsBackWhenTheRefreshThrows) {
  const FlowPtr flow = small_flow();  // ActNorm still waits for data
  const FlatParameters flat(*flow);
  Ema ema(flat, 0.5);
  ema.update();
  set_all(flat, 3.0);
  const NamedTensors before = clone_state(state_of(*flow));
  testing::error_of<ConfigError>(
      [&] { const EvaluationScope scope(*flow, flat, &ema, [&] { refresh_state(*flow); }); });
  EXPECT_TRUE(same_bits(state_of(*flow), before));
}

}  // namespace
}  // namespace contraflow
