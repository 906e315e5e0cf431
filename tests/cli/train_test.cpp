#include <csignal>

#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::vector<std::string> train_moons(const fs::path& out) {
  return std::vector<std::string>{"train", "--data", "moons", "--out", out.string()} + tiny();
}

TEST(CliTrain, LeavesARunFolderAndAValidReport) {
  TempFolder folder;
  const Ran ran = run(train_moons(folder / "run") + std::vector<std::string>{"--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json();
  EXPECT_EQ(json["status"], "completed");
  EXPECT_EQ(json["step"], 4);
  EXPECT_TRUE(json["validation"]["mean"].is_number());
  EXPECT_THAT(ran.err, HasSubstr("4/4 100%"));
  for (const char* name :
       {"config.toml", "metrics.jsonl", "checkpoint.safetensors", "curves.png", "density.png"}) {
    EXPECT_TRUE(fs::exists(folder / "run" / name)) << name;
  }
}

TEST(CliTrain, RefusesAFolderThatHoldsARun) {
  TempFolder folder;
  ASSERT_EQ(run(train_moons(folder / "run")).code, 0);
  const std::string before = read_bytes(folder / "run" / "checkpoint.safetensors");
  expect_error(run(train_moons(folder / "run")), 2, {"--resume", "--overwrite"});
  EXPECT_EQ(read_bytes(folder / "run" / "checkpoint.safetensors"), before);
  const auto again = std::vector<std::string>{"--overwrite", "--set", "training.seed=1"};
  EXPECT_EQ(run(train_moons(folder / "run") + again).code, 0);
  EXPECT_NE(read_bytes(folder / "run" / "checkpoint.safetensors"), before);
}

TEST(CliTrain, ResumedRunEndsInTheSameBytes) {
  TempFolder folder;
  // At a constant rate a longer run begins like a shorter one.
  const std::vector<std::string> constant{"--set", "training.schedule.kind=constant", "--set",
                                          "training.schedule.warmup_steps=0"};
  ASSERT_EQ(run(train_moons(folder / "whole") + constant).code, 0);
  const auto half = std::vector<std::string>{"--set", "training.steps=2"};
  ASSERT_EQ(run(train_moons(folder / "parts") + constant + half).code, 0);
  const Ran resumed =
      run({"train", "--out", (folder / "parts").string(), "--resume", "--set", "training.steps=4"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(read_bytes(folder / "parts" / "checkpoint.safetensors"),
            read_bytes(folder / "whole" / "checkpoint.safetensors"));
}

TEST(CliTrain, ResumeNeedsTheSameConfiguration) {
  TempFolder folder;
  ASSERT_EQ(run(train_moons(folder / "run")).code, 0);
  const std::string out = (folder / "run").string();
  expect_error(run({"train", "--out", out, "--resume", "--set", "model.blocks=3"}), 2,
               {"model.blocks", "2", "3"});
  expect_error(run({"train", "--out", (folder / "none").string(), "--resume"}), 2, {"resume"});
}

TEST(CliTrain, CtrlCFinishesTheStepAndSaves) {
  TempFolder folder;
  const fs::path out = folder / "run";
  Program program(train_moons(out) + std::vector<std::string>{"--set", "training.steps=1000000"});
  for (int i = 0; i < 600 && !fs::exists(out / "checkpoint.safetensors"); ++i) ::usleep(50'000);
  ::kill(program.process(), SIGINT);
  const Ran ran = program.wait();
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("interrupted"));
  EXPECT_THAT(ran.out, HasSubstr("--resume"));
  EXPECT_EQ(run({"info", out.string()}).code, 0);
}

TEST(CliTrain, ConfigFileIsOverlaidBySet) {
  TempFolder folder;
  write_bytes(folder / "c.toml",
              "[data]\nname = \"moons\"\n[model]\npreset = \"residual\"\n[training]\nsteps = 99\n");
  const Ran ran = run(std::vector<std::string>{"train", (folder / "c.toml").string(), "--out",
                                               (folder / "run").string()} +
                      tiny() + std::vector<std::string>{"--set", "model.net.hidden=[8]"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string config = read_bytes(folder / "run" / "config.toml");
  EXPECT_THAT(config, HasSubstr("preset = \"residual\""));
  EXPECT_THAT(config, HasSubstr("activation = \"lipswish\""));  // of the preset
  EXPECT_THAT(config, HasSubstr("steps = 4\n"));
}

// -------------------------------------------------------------------------------- bad input

struct BadConfig {
  const char* name;
  std::vector<std::string> arguments;
  std::vector<std::string> parts;
};

class CliBadConfig : public ::testing::TestWithParam<BadConfig> {};

TEST_P(CliBadConfig, IsRefusedBeforeAnythingIsWritten) {
  TempFolder folder;
  const std::string out = (folder / "run").string();
  const Ran ran = run(std::vector<std::string>{"train", "--out", out} + GetParam().arguments);
  expect_error(ran, 2, GetParam().parts);
  EXPECT_FALSE(fs::exists(out));
}

INSTANTIATE_TEST_SUITE_P(
    All, CliBadConfig,
    ::testing::Values(
        BadConfig{"Nothing", {}, {"--data"}},
        BadConfig{"UnknownData", {"--data", "chekerboard"}, {"'checkerboard'"}},
        BadConfig{"UnknownPreset", {"--data", "moons", "--model", "monoton"}, {"'monotone'"}},
        BadConfig{"UnknownKey",
                  {"--data", "moons", "--set", "training.step=5"},
                  {"training.step", "'steps'"}},
        BadConfig{"BadValue",
                  {"--data", "moons", "--set", "model.net.lipschitz=1.5"},
                  {"model.net.lipschitz", "1.5"}},
        BadConfig{"Contradiction",
                  {"--data", "moons", "--set", "training.patience=3", "--set",
                   "training.validate_every=0"},
                  {"patience"}},
        BadConfig{"NoValidationRows",
                  {"--data", "moons", "--set", "data.validation_rows=0"},
                  {"data.validation_rows"}},
        BadConfig{"BothModes", {"--data", "moons", "--resume", "--overwrite"}, {"--overwrite"}}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

struct BadTable {
  const char* name;
  std::string text;
  int code;
  std::vector<std::string> parts;
};

class CliBadTable : public ::testing::TestWithParam<BadTable> {};

TEST_P(CliBadTable, IsRefusedAndNamesThePlace) {
  TempFolder folder;
  write_bytes(folder / "t.csv", GetParam().text);
  const std::string out = (folder / "run").string();
  const Ran ran = run({"train", "--data", (folder / "t.csv").string(), "--out", out, "--set",
                       "data.missing=error"});
  expect_error(ran, GetParam().code, GetParam().parts);
  EXPECT_FALSE(fs::exists(out));
}

INSTANTIATE_TEST_SUITE_P(
    All, CliBadTable,
    ::testing::Values(BadTable{"OneRow", "a,b\n1,2\n", 2, {"row"}},
                      BadTable{
                          "ConstantColumns", "a,b\n1,2\n1,2\n1,2\n1,2\n", 2, {"a is", "constant"}},
                      BadTable{"MissingValue", "a,b\n1,2\n3,\n4,5\n", 2, {"row 1", "'b'"}},
                      BadTable{"NotANumber", "a,b\n1,2\n3,nan\n4,5\n", 2, {"row 1", "'b'"}},
                      BadTable{"Ragged", "a,b\n1,2\n3\n4,5\n", 1, {"line 3"}},
                      BadTable{"Empty", "", 1, {"t.csv"}}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(CliTrain, ARunThatCannotBeginLeavesNoFolder) {
  TempFolder folder;
  const fs::path out = folder / "run";
  // The first update has a step size beyond float32, before any checkpoint.
  const Ran ran = run(train_moons(out) +
                      std::vector<std::string>{"--set", "training.adam.learning_rate=1e300"});
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("error: ["));
  EXPECT_FALSE(fs::exists(out));
}

TEST(CliTrain, AFolderThatCannotBeMadeIsAnError) {
  expect_error(run(train_moons("/proc/none/run")), 1, {"/proc/none"});
}

}  // namespace
}  // namespace contraflow::testing
