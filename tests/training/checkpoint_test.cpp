#include "contraflow/training/checkpoint.h"

#include "contraflow/core/safetensors.h"
#include "contraflow/models/presets.h"
#include "contraflow/training/ema.h"
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
using testing::write_bytes;

/// A folder with the checkpoint of a short run.
struct TrainedRun {
  explicit TrainedRun(TrainingOptions options = small_options()) {
    flow = small_flow();
    TrainerHooks hooks;
    hooks.checkpoint_path = path;
    hooks.config = {{"model", {{"type", "small"}, {"width", 3}}}};
    report = fit(*flow, small_splits(), options, hooks);
  }
  TempFolder folder;
  std::filesystem::path path = folder / "checkpoint.safetensors";
  FlowPtr flow;
  TrainReport report;
};

TEST(Checkpoint, HoldsEverythingBitForBit) {
  const TrainedRun run;
  const Checkpoint a = load_checkpoint(run.path);
  save_checkpoint(run.folder / "again", a);
  EXPECT_EQ(read_bytes(run.folder / "again"), read_bytes(run.path));
  EXPECT_EQ(a.counters.step, 40);
  EXPECT_EQ(a.config["model"]["width"], 3);
  EXPECT_EQ(a.training["adam"]["learning_rate"], 0.02);
  EXPECT_EQ(a.weights.count("transform.1.bound"), 1U);  // buffers too
  EXPECT_EQ(a.ema.count("transform.1.bound"), 0U);
  EXPECT_EQ(a.first_moment.size(), 5U);
  EXPECT_EQ(a.counters.best->loss.mean, run.report.best->loss.mean);
}

TEST(Checkpoint, OneThatFitWroteIsWholeWithoutAConfig) {
  const TempFolder folder;
  const FlowPtr flow = models::residual_flow({.event = 2, .blocks = 2});
  TrainingOptions options = small_options();
  options.dtype = FloatType::kFloat64;
  options.steps = 3;
  options.schedule = {};
  TrainerHooks hooks;
  hooks.checkpoint_path = folder / "c";
  fit(*flow, small_splits(), options, hooks);
  const FlowPtr loaded = flow_of(load_checkpoint(hooks.checkpoint_path), "c");
  EXPECT_EQ(loaded->event_shape(), flow->event_shape());
  EXPECT_TRUE(same_bits(state_of(*loaded), state_of(*flow)));
  const at::Tensor x = Rng(7).normal({10, 2}, at::kDouble);
  EXPECT_TRUE(at::equal(loaded->log_prob(x), flow->log_prob(x)));
  // The spec is compared on resuming, as the config is.
  const Checkpoint saved = load_checkpoint(hooks.checkpoint_path);
  hooks.resume = &saved;
  const FlowPtr other = models::residual_flow({.event = 2, .blocks = 3});
  EXPECT_THAT(error_of<ConfigError>([&] { fit(*other, small_splits(), options, hooks); }),
              HasSubstr("[resume: model] transform"));
}

TEST(Checkpoint, SelectedWeightsAreWhatTheTrainerLeftInTheFlow) {
  TrainingOptions averaged = small_options();
  averaged.validate_every = 0;
  TrainingOptions plain = averaged;
  plain.ema_decay = 0.0;
  const std::vector<std::pair<TrainingOptions, WeightChoice>> cases{
      {small_options(), WeightChoice::kBest},
      {averaged, WeightChoice::kEma},
      {plain, WeightChoice::kLast}};
  for (const auto& [options, choice] : cases) {
    const TrainedRun run(options);
    const FlowPtr flow = small_flow();
    const Checkpoint saved = load_checkpoint(run.path);
    EXPECT_EQ(load_weights(*flow, saved, WeightChoice::kSelected, "x"), choice);
    EXPECT_EQ(run.report.weights, choice);
    EXPECT_TRUE(same_bits(state_of(*flow), state_of(*run.flow)));
  }
}

TEST(Checkpoint, AChoiceThatIsNotThereIsAnError) {
  TrainingOptions options = small_options();
  options.validate_every = 0;
  options.ema_decay = 0.0;
  const TrainedRun run(options);
  const Checkpoint saved = load_checkpoint(run.path);
  EXPECT_THAT(
      error_of<ConfigError>([&] { load_weights(*run.flow, saved, WeightChoice::kBest, "run.st"); }),
      HasSubstr("run.st: expected best weights"));
  error_of<ConfigError>([&] { load_weights(*run.flow, saved, WeightChoice::kEma, "run.st"); });
}

/// Expects that loading `broken` throws an error with `text` and leaves the flow as it was.
void expect_refused(Checkpoint broken, const std::string& text) {
  const FlowPtr flow = small_flow();
  const NamedTensors before = clone_state(state_of(*flow));
  EXPECT_THAT(
      error_of<ConfigError>([&] { load_weights(*flow, broken, WeightChoice::kLast, "file"); }),
      HasSubstr(text));
  EXPECT_TRUE(same_bits(state_of(*flow), before));
}

TEST(Checkpoint, AnotherModelIsRefusedAndTheFlowUnchanged) {
  const TrainedRun run;
  const Checkpoint good = load_checkpoint(run.path);
  Checkpoint missing = good, extra = good, shape = good, dtype = good, unprepared = good;
  missing.weights.erase("transform.1.weight");
  expect_refused(missing, "transform.1.weight: expected a tensor [2], got none");
  extra.weights["transform.2.weight"] = at::ones({1});
  expect_refused(extra, "transform.2.weight: expected no such tensor");
  shape.weights["base.location"] = at::ones({3});
  expect_refused(shape, "base.location: expected shape [2], got shape [3]");
  dtype.weights["base.location"] = at::ones({2}, at::kDouble);
  expect_refused(dtype, "base.location: expected float, got double");
  unprepared.weights["transform.0.initialized"].zero_();  // found only after the copy
  expect_refused(unprepared, "data-dependent");
}

TEST(Checkpoint, FilesThatAreNoneAreRefused) {
  const TrainedRun run;
  const auto expect_error = [&run](const SafetensorsFile& file, const std::string& text) {
    write_safetensors(run.folder / "bad", file);
    EXPECT_THAT(error_of<IoError>([&] { load_checkpoint(run.folder / "bad"); }), HasSubstr(text));
  };
  const SafetensorsFile good = read_safetensors(run.path);
  SafetensorsFile file = good;
  file.metadata.erase("format");
  expect_error(file, "format 'contraflow-checkpoint'");
  file = good;
  file.metadata["format_version"] = "3";
  expect_error(file, "expected format version 2, got '3'");
  file.metadata["format_version"] = "1";
  expect_error(file, "expected format version 2, got '1'. Version 1 had models of rows alone");
  file = good;
  file.metadata["counters"] = R"({"step": "many"})";
  expect_error(file, "as JSON");
  file = good;
  file.metadata["counters"] = R"({"step": -4, "stale_validations": 0})";
  expect_error(file, "step >= 0");
  file = good;
  file.metadata["config"] = "{";
  expect_error(file, "as JSON");
  file = good;
  file.tensors["other.weight"] = at::ones({1});
  expect_error(file, "'other.weight'");
  file = good;
  std::erase_if(file.tensors, [](const auto& item) { return item.first.starts_with("best."); });
  expect_error(file, "one without the other");
  error_of<IoError>([&] { load_checkpoint(run.folder / "none"); });
}

TEST(Checkpoint, ATruncatedFileIsRefusedAtEveryLength) {
  const TrainedRun run;
  const std::string bytes = read_bytes(run.path);
  for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 50) {
    write_bytes(run.folder / "cut", bytes.substr(0, length));
    error_of<IoError>([&] { load_checkpoint(run.folder / "cut"); });
  }
}

TEST(CheckSameConfig, NamesTheFirstPathThatDiffers) {
  using nlohmann::ordered_json;
  const ordered_json a = {{"model", {{"dim", 2}, {"blocks", {1, 2}}}}, {"data", "moons"}};
  ordered_json b = a;
  EXPECT_NO_THROW(check_same_config(a, b, "x", "y"));
  b["model"]["blocks"] = {1, 3};
  EXPECT_EQ(error_of<ConfigError>([&] { check_same_config(a, b, "resume", "Stop."); }),
            "[resume] model.blocks: expected [1,2], got [1,3]. Stop.");
  b = a;
  b["more"] = 1;
  EXPECT_THAT(error_of<ConfigError>([&] { check_same_config(a, b, "x", "y"); }),
              HasSubstr("more: expected null, got 1"));
}

}  // namespace
}  // namespace contraflow
