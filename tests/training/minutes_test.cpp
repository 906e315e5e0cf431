// Runs with a budget of time, by a clock that the tests set.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "contraflow/core/log.h"
#include "contraflow/training/checkpoint.h"
#include "contraflow/training/trainer.h"
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
using testing::TempFolder;

/// 15 seconds.
TrainingOptions budgeted() {
  TrainingOptions options = small_options();
  options.steps = 0;
  options.minutes = 0.25;
  options.schedule = {};
  options.validate_every = 1000;
  return options;
}

/// Every step takes a second, which the loop sees after the next one.
TrainerHooks by_fake_clock(std::vector<MetricsRecord>* records = nullptr,
                           int64_t stop_at = 1'000'000) {
  struct State {
    double time;
    int64_t step = 0;
  };
  // Any moment will do as the first.
  const auto state = std::make_shared<State>(State{.time = 1234.0});
  TrainerHooks hooks;
  hooks.clock = [state] { return state->time; };
  hooks.on_step = [state, records](const MetricsRecord& record) {
    state->time += 1.0;
    state->step = record.step;
    if (records != nullptr) records->push_back(record);
  };
  hooks.should_stop = [state, stop_at] { return state->step >= stop_at; };
  return hooks;
}

TrainReport fit_here(const std::filesystem::path& path, const TrainingOptions& options,
                     const TrainerHooks& hooks, const FlowPtr& flow = small_flow()) {
  const RunFolder folder(path, RunFolder::holds_run(path) ? RunMode::kResume : RunMode::kNew, "");
  return fit_in_folder(*flow, small_splits(), options, folder, hooks);
}

TrainingCounters counters_in(const std::filesystem::path& path) {
  return load_checkpoint(path / "checkpoint.safetensors").counters;
}

TEST(Minutes, EndTheRunAfterTheStepThatUsesThemUp) {
  std::vector<MetricsRecord> records;
  const TrainReport report =
      fit(*small_flow(), small_splits(), budgeted(), by_fake_clock(&records));
  EXPECT_EQ(report.status, TrainStatus::kOutOfTime);
  EXPECT_EQ(report.step, 16);  // the 16th step saw 15 seconds
  EXPECT_EQ(records.back().budget_used, 1.0);
  EXPECT_EQ(records[7].budget_used, 7.0 / 15.0);
  ASSERT_TRUE(report.best.has_value()) << "the last step validates";
  EXPECT_EQ(report.best->step, 16);
}

TEST(Minutes, AndStepsEndARunWhicheverComeFirst) {
  TrainingOptions options = budgeted();
  options.steps = 10;
  EXPECT_EQ(fit(*small_flow(), small_splits(), options, by_fake_clock()).status,
            TrainStatus::kCompleted);
  options.steps = 20;
  const TrainReport report = fit(*small_flow(), small_splits(), options, by_fake_clock());
  EXPECT_EQ(report.status, TrainStatus::kOutOfTime);
  EXPECT_EQ(report.step, 16);
}

TEST(Minutes, ACosineFollowsTheTimeThatIsUsed) {
  TrainingOptions options = budgeted();
  options.schedule = {.kind = Schedule::kCosine, .warmup_steps = 3, .final_fraction = 0.1};
  std::vector<MetricsRecord> records;
  fit(*small_flow(), small_splits(), options, by_fake_clock(&records));
  ASSERT_EQ(records.size(), 16U);
  for (size_t k = 1; k < records.size(); ++k) {
    const double used = records[k - 1].budget_used;  // what the step knew
    EXPECT_DOUBLE_EQ(records[k].learning_rate,
                     options.adam.learning_rate *
                         schedule_factor(options.schedule, static_cast<int64_t>(k), 0, used));
  }
  EXPECT_LT(records.back().learning_rate, 0.12 * options.adam.learning_rate);
}

TEST(Minutes, AResumedRunHasWhatIsLeftOfThem) {
  const TempFolder folder;
  const TrainReport first = fit_here(folder.path(), budgeted(), by_fake_clock(nullptr, 5));
  EXPECT_EQ(first.status, TrainStatus::kInterrupted);
  EXPECT_EQ(counters_in(folder.path()).seconds, 4.0);
  const TrainReport second = fit_here(folder.path(), budgeted(), by_fake_clock());
  EXPECT_EQ(second.status, TrainStatus::kOutOfTime);
  EXPECT_EQ(second.step, 5 + 12);  // the 12th step of this session saw 4 + 11 seconds
  EXPECT_EQ(counters_in(folder.path()).seconds, 15.0);
  // Once they are over, nothing goes on without more.
  const TrainReport third = fit_here(folder.path(), budgeted(), by_fake_clock());
  EXPECT_EQ(third.status, TrainStatus::kOutOfTime);
  EXPECT_EQ(third.step, 17);
  EXPECT_FALSE(third.loss.has_value());
  TrainingOptions longer = budgeted();
  longer.minutes = 0.5;
  EXPECT_EQ(fit_here(folder.path(), longer, by_fake_clock()).step, 17 + 16);
}

TEST(Minutes, OfACosineMayGrowWithAWord) {
  const TempFolder folder;
  TrainingOptions options = budgeted();
  options.schedule = {.kind = Schedule::kCosine};
  fit_here(folder.path(), options, by_fake_clock(nullptr, 5));
  options.minutes = 0.5;
  std::string said;
  const ScopedLogSink sink([&said](LogLevel, std::string_view text) { said += text; });
  EXPECT_EQ(fit_here(folder.path(), options, by_fake_clock()).status, TrainStatus::kOutOfTime);
  EXPECT_THAT(said, HasSubstr("run of 0.5 minutes; the run was begun for 0.25 minutes"));
}

TEST(Minutes, LeaveNoTimeInTheCheckpointOfARunWithoutThem) {
  const TempFolder folder;
  TrainingOptions options = small_options();
  options.steps = 4;
  options.schedule = {};
  fit_here(folder.path(), options, by_fake_clock());
  EXPECT_EQ(counters_in(folder.path()).seconds, 0.0);
}

/// Never better than at first: patience counts from there.
TrainingOptions impatient() {
  TrainingOptions options = budgeted();
  options.adam.learning_rate = 0.3;
  options.validate_every = 2;
  options.patience = 6;
  options.minutes = 10.0;
  return options;
}

TEST(Minutes, AndPatienceGoTogetherAcrossInterruptions) {
  const TempFolder whole, parts;
  const FlowPtr a = small_flow(), b = small_flow();
  const TrainReport once = fit_here(whole.path(), impatient(), by_fake_clock(), a);
  ASSERT_EQ(once.status, TrainStatus::kEarlyStopped);
  for (const int64_t stop : {3, 7, static_cast<int>(once.step) - 1}) {
    EXPECT_EQ(fit_here(parts.path(), impatient(), by_fake_clock(nullptr, stop)).status,
              TrainStatus::kInterrupted);
  }
  const TrainReport last = fit_here(parts.path(), impatient(), by_fake_clock(), b);
  EXPECT_EQ(last.status, TrainStatus::kEarlyStopped);
  EXPECT_EQ(last.step, once.step);
  EXPECT_EQ(counters_in(parts.path()).stale_validations, 6);
  // A constant rate does not see the time, so the interruptions change no bit of the weights.
  EXPECT_TRUE(same_bits(state_of(*a), state_of(*b)));
  // Less time than patience takes: the stale validations are kept for a longer run.
  const TempFolder brief;
  TrainingOptions options = impatient();
  options.minutes = (static_cast<double>(once.step) - 3.5) / 60.0;
  const TrainReport cut = fit_here(brief.path(), options, by_fake_clock());
  EXPECT_EQ(cut.status, TrainStatus::kOutOfTime);
  EXPECT_LT(cut.step, once.step);
  EXPECT_EQ(fit_here(brief.path(), impatient(), by_fake_clock()).status,
            TrainStatus::kEarlyStopped);
}

TEST(Minutes, OrStepsMustLimitARun) {
  TrainingOptions options = budgeted();
  options.minutes = 0.0;
  EXPECT_THAT(error_of<ConfigError>([&] { check_options(options, "training"); }),
              HasSubstr("steps: expected 1 or more, or a budget of time"));
}

}  // namespace
}  // namespace contraflow
