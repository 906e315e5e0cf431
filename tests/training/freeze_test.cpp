#include "contraflow/training/freeze.h"

#include "contraflow/training/max_likelihood.h"
#include "contraflow/training/training_loop.h"
#include "tests/support/tensors.h"
#include "tests/training/same_bits.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::same_bits;
using testing::small_flow;
using testing::small_options;
using testing::small_splits;

TrainingOptions frozen_options(int64_t steps) {
  TrainingOptions o = small_options();
  o.freeze = {.parameters = {"shift"}, .steps = steps};
  return o;
}

TrainingLoop loop_of(const FlowPtr& flow, const TrainingOptions& options) {
  return TrainingLoop(std::make_shared<MaxLikelihood>(flow, small_splits()), options);
}

at::Tensor shift_of(const FlowPtr& flow) {
  for (const auto& item : flow->named_parameters()) {
    if (item.key().find("shift") != std::string::npos) return item.value().detach().clone();
  }
  return {};
}

TEST(Freeze, KeepsTheStartOfTheTrainingForItsSteps) {
  const FlowPtr flow = small_flow();
  TrainingLoop loop = loop_of(flow, frozen_options(3));
  loop.step();
  const at::Tensor start = shift_of(flow);
  ASSERT_TRUE(start.defined());
  EXPECT_GT(start.abs().max().item<double>(), 0.1);  // what the data say, not zero
  for (int k = 2; k <= 3; ++k) loop.step();
  EXPECT_TRUE(start.equal(shift_of(flow)));
  loop.step();
  EXPECT_FALSE(start.equal(shift_of(flow)));
}

TEST(Freeze, TheOthersLearnMeanwhile) {
  const FlowPtr flow = small_flow();
  TrainingLoop loop = loop_of(flow, frozen_options(0));
  loop.step();
  const NamedTensors before = clone_state(state_of(*flow));
  const at::Tensor start = shift_of(flow);
  for (int k = 0; k < 10; ++k) loop.step();
  EXPECT_TRUE(start.equal(shift_of(flow)));
  EXPECT_FALSE(same_bits(before, state_of(*flow)));
}

TEST(Freeze, GoesOnFromACheckpointWithinItsSteps) {
  const FlowPtr first = small_flow(), second = small_flow(), whole = small_flow();
  TrainingLoop begun = loop_of(first, frozen_options(8));
  for (int k = 0; k < 5; ++k) begun.step();
  TrainingLoop resumed = loop_of(second, frozen_options(8));
  resumed.restore(begun.checkpoint());
  TrainingLoop loop = loop_of(whole, frozen_options(8));
  for (int k = 0; k < 12; ++k) loop.step();
  for (int k = 5; k < 12; ++k) resumed.step();
  EXPECT_TRUE(same_bits(state_of(*second), state_of(*whole)));
}

TEST(Freeze, SaysWhatItCannotFreeze) {
  TrainingOptions o = small_options();
  o.freeze = {.parameters = {"shift", "skale"}};
  EXPECT_THAT(error_of<ConfigError>([&] { loop_of(small_flow(), o); }),
              AllOf(HasSubstr("training.freeze.parameters"), HasSubstr("\"skale\""),
                    HasSubstr("log_scale")));
  o.freeze = {.steps = 5};
  EXPECT_THAT(error_of<ConfigError>([&] { loop_of(small_flow(), o); }),
              HasSubstr("training.freeze.steps"));
}

}  // namespace
}  // namespace contraflow
