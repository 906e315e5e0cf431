#include <fstream>
#include <nlohmann/json.hpp>

#include "contraflow/core/log.h"
#include "contraflow/training/checkpoint.h"
#include "contraflow/training/trainer.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/tensors.h"
#include "tests/training/same_bits.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::read_bytes;
using testing::same_bits;
using testing::small_flow;
using testing::small_options;
using testing::small_splits;
using testing::TempFolder;

/// Runs in `folder`, going on where it stands, until `stop_at` steps are done.
TrainReport run_until(const std::filesystem::path& folder, const TrainingOptions& options,
                      int64_t stop_at, const FlowPtr& flow = small_flow()) {
  const RunMode mode = RunFolder::holds_run(folder) ? RunMode::kResume : RunMode::kNew;
  const RunFolder run(folder, mode, "");
  int64_t step = 0;
  TrainerHooks hooks;
  hooks.config = {{"model", "small"}};
  hooks.on_step = [&step](const MetricsRecord& r) { step = r.step; };
  hooks.should_stop = [&step, stop_at] { return step >= stop_at; };
  return fit_in_folder(*flow, small_splits(), options, run, hooks);
}

/// The metrics without the clock.
std::vector<std::string> metrics_of(const std::filesystem::path& folder) {
  std::ifstream in(folder / "metrics.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    nlohmann::ordered_json json = nlohmann::ordered_json::parse(line);
    json.erase("seconds");
    lines.push_back(json.dump());
  }
  return lines;
}

TEST(Resume, AnInterruptedRunEndsBitForBitLikeAnUninterruptedOne) {
  TrainingOptions options = small_options();
  options.patience = 4;  // its counter crosses the interruptions
  const TempFolder whole, parts;
  const FlowPtr a = small_flow(), b = small_flow();
  run_until(whole.path(), options, 1000, a);
  for (int64_t stop : {1, 9, 10, 23}) {
    const TrainReport report = run_until(parts.path(), options, stop);
    EXPECT_EQ(report.status, TrainStatus::kInterrupted);
    EXPECT_EQ(report.step, stop);
  }
  EXPECT_EQ(run_until(parts.path(), options, 1000, b).status, TrainStatus::kCompleted);
  EXPECT_EQ(read_bytes(whole.path() / "checkpoint.safetensors"),
            read_bytes(parts.path() / "checkpoint.safetensors"));
  EXPECT_EQ(metrics_of(whole.path()), metrics_of(parts.path()));
  EXPECT_TRUE(same_bits(state_of(*a), state_of(*b)));
}

/// A block whose roulette is measured at steps 0, 7, 14, ..., around a change of dtype.
FlowPtr calibrated_flow() {
  const RussianRoulette optimal{.law = RouletteLaw::kOptimal, .calibrate_every = 7};
  ContractiveBlockOptions options{.event = 2, .form = FormKind::kMonotone};
  options.net.depth = 2;
  options.net.growth = 4;
  options.train_log_det = options.eval_log_det = optimal;
  const auto chain = std::make_shared<Chain>(
      std::vector<TransformPtr>{std::make_shared<ActNorm>(ActNormOptions{.event = 2}),
                                std::make_shared<ContractiveBlock>(options)});
  return std::make_shared<Flow>(
      chain, std::make_shared<DiagonalNormal>(DiagonalNormalOptions{.event = 2}));
}

TEST(Resume, ACalibratedRouletteGoesOnBitForBit) {
  const TempFolder whole, parts;
  const FlowPtr a = calibrated_flow(), b = calibrated_flow();
  run_until(whole.path(), small_options(), 1000, a);
  for (int64_t stop : {6, 7, 8, 23})
    run_until(parts.path(), small_options(), stop, calibrated_flow());
  run_until(parts.path(), small_options(), 1000, b);
  EXPECT_EQ(read_bytes(whole.path() / "checkpoint.safetensors"),
            read_bytes(parts.path() / "checkpoint.safetensors"));
  EXPECT_EQ(metrics_of(whole.path()), metrics_of(parts.path()));
  EXPECT_TRUE(same_bits(state_of(*a), state_of(*b)));
}

TEST(Resume, AFinishedRunStaysAsItIs) {
  const TempFolder folder;
  const FlowPtr first = small_flow(), second = small_flow();
  run_until(folder.path(), small_options(), 1000, first);
  const std::string bytes = read_bytes(folder.path() / "checkpoint.safetensors");
  const TrainReport report = run_until(folder.path(), small_options(), 1000, second);
  EXPECT_EQ(report.status, TrainStatus::kCompleted);
  EXPECT_FALSE(report.loss.has_value());
  EXPECT_EQ(read_bytes(folder.path() / "checkpoint.safetensors"), bytes);
  EXPECT_TRUE(same_bits(state_of(*first), state_of(*second)));
}

TEST(Resume, AnEarlyStoppedRunStaysStopped) {
  TrainingOptions options = small_options();
  options.steps = 10'000;
  options.patience = 3;
  options.schedule = {};
  options.adam.learning_rate = 0.3;
  const TempFolder folder;
  const TrainReport first = run_until(folder.path(), options, 100'000);
  const TrainReport second = run_until(folder.path(), options, 100'000);
  EXPECT_EQ(second.status, TrainStatus::kEarlyStopped);
  EXPECT_EQ(second.step, first.step);
}

TEST(Resume, AnotherConfigurationIsRefusedAndTheFlowUnchanged) {
  const TempFolder folder;
  run_until(folder.path(), small_options(), 12);
  const Checkpoint saved = load_checkpoint(folder.path() / "checkpoint.safetensors");
  const auto refused = [&saved](const TrainingOptions& options,
                                const nlohmann::ordered_json& config) {
    const FlowPtr flow = small_flow();
    const NamedTensors before = clone_state(state_of(*flow));
    TrainerHooks hooks;
    hooks.resume = &saved;
    hooks.config = config;
    const std::string text =
        error_of<ConfigError>([&] { fit(*flow, small_splits(), options, hooks); });
    EXPECT_TRUE(same_bits(state_of(*flow), before));
    return text;
  };
  const nlohmann::ordered_json config = {{"model", "small"}};
  TrainingOptions options = small_options();
  options.adam.beta1 = 0.8;
  EXPECT_THAT(refused(options, config), HasSubstr("adam.beta1: expected 0.9, got 0.8"));
  EXPECT_THAT(refused(small_options(), {{"model", "large"}}),
              HasSubstr(R"(model: expected "small", got "large")"));
}

TEST(Resume, ADamagedMomentIsRefusedAndTheFlowUnchanged) {
  const TempFolder folder;
  run_until(folder.path(), small_options(), 12);
  Checkpoint saved = load_checkpoint(folder.path() / "checkpoint.safetensors");
  saved.second_moment.erase("base.location");
  const FlowPtr flow = small_flow();
  const NamedTensors before = clone_state(state_of(*flow));
  TrainerHooks hooks;
  hooks.resume = &saved;
  hooks.config = {{"model", "small"}};
  EXPECT_THAT(error_of<ConfigError>([&] { fit(*flow, small_splits(), small_options(), hooks); }),
              HasSubstr("base.location"));
  EXPECT_TRUE(same_bits(state_of(*flow), before));
}

// A cosine of another length has another rate at every step: the run goes on, and says so.
TEST(Resume, ALongerCosineGoesOnWithAWord) {
  TrainingOptions options = small_options();
  const TempFolder folder;
  std::string said;
  const ScopedLogSink sink([&said](LogLevel, std::string_view text) { said += text; });
  run_until(folder.path(), options, 12);
  run_until(folder.path(), options, 24);
  EXPECT_EQ(said, "");
  options.steps = 50;
  EXPECT_EQ(run_until(folder.path(), options, 1000).step, 50);
  EXPECT_THAT(said, HasSubstr("from step 25 on the learning rate is that of a run of 50 steps; the "
                              "run was begun for 40 steps"));
}

TEST(Resume, WithAConstantRateARunCanBeExtended) {
  TrainingOptions options = small_options();
  options.schedule = {};
  const TempFolder extended, whole;
  options.steps =
      24;  // a multiple of validate_every: no validation that the long run does not have
  run_until(extended.path(), options, 1000);
  options.steps = 40;
  options.log_every = 5;  // may change too
  EXPECT_EQ(run_until(extended.path(), options, 1000).step, 40);
  run_until(whole.path(), options, 1000);
  const Checkpoint a = load_checkpoint(extended.path() / "checkpoint.safetensors");
  const Checkpoint b = load_checkpoint(whole.path() / "checkpoint.safetensors");
  EXPECT_TRUE(same_bits(a.weights, b.weights));
  EXPECT_TRUE(same_bits(a.best, b.best));
}

}  // namespace
}  // namespace contraflow
