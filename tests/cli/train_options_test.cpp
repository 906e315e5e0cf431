#include <algorithm>
#include <cmath>

#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

/// 100 rows of two columns, a number, a class and a weight.
void write_table(const fs::path& path) {
  std::string text = "a,b,c,kind,w\n";
  for (int i = 0; i < 100; ++i) {
    text += std::to_string(std::sin(i * 1.7)) + "," + std::to_string(std::cos(i * 2.3)) + "," +
            std::to_string(0.01 * i) + "," + std::to_string(i % 2) + "," +
            std::to_string(1 + i % 3) + "\n";
  }
  write_bytes(path, text);
}

TEST(CliTrainOptions, AFileOfRowsOrANameIsDataAndTomlIsAConfig) {
  const TempFolder folder;
  write_table(folder / "t.csv");
  const fs::path out = folder / "run";
  const Ran file = run(std::vector<std::string>{"train", (folder / "t.csv").string(), "--steps",
                                                "2", "--out", out.string()} +
                       small_model());
  ASSERT_EQ(file.code, 0) << file.err;
  EXPECT_THAT(read_bytes(out / "config.toml"), HasSubstr("t.csv"));
  const fs::path toy = folder / "toy";
  ASSERT_EQ(run(std::vector<std::string>{"train", "rings", "--out", toy.string()} + tiny()).code,
            0);
  EXPECT_THAT(read_bytes(toy / "config.toml"), HasSubstr("name = \"rings\""));
}

TEST(CliTrainOptions, SetTheirKeys) {
  const TempFolder folder;
  write_table(folder / "t.csv");
  const fs::path out = folder / "run";
  const Ran ran = run(std::vector<std::string>{"train",       (folder / "t.csv").string(),
                                               "--columns",   "a,b",
                                               "--condition", "c",
                                               "--label",     "kind",
                                               "--weight",    "w",
                                               "--steps",     "3",
                                               "--lr",        "2e-3",
                                               "--batch",     "16",
                                               "--seed",      "5",
                                               "--out",       out.string()} +
                      small_model());
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string config = read_bytes(out / "config.toml");
  for (const char* line :
       {"columns = [\"a\", \"b\"]", "condition = [\"c\"]", "label = \"kind\"", "weight = \"w\"",
        "steps = 3\n", "batch_size = 16\n", "learning_rate = 0.002\n"}) {
    EXPECT_THAT(config, HasSubstr(line)) << config;
  }
  const auto json = run({"info", out.string(), "--json"}).json()["config"];
  EXPECT_EQ(json["training"]["seed"], 5);
  EXPECT_EQ(json["model"]["seed"], 5);
  EXPECT_EQ(json["data"]["seed"], 0);  // the same rows are held out
}

TEST(CliTrainOptions, EpochsAreStepsOverTheTrainingRows) {
  const TempFolder folder;
  write_table(folder / "t.csv");
  const Ran ran = run(std::vector<std::string>{"train", (folder / "t.csv").string(), "--columns",
                                               "a,b", "--epochs", "2", "--batch", "32", "--out",
                                               (folder / "run").string(), "--json"} +
                      small_model());
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["steps"], 5);  // of 80 training rows: 160 / 32
  EXPECT_THAT(ran.err, HasSubstr("2 epochs of 80 training rows in batches of 32: 5 steps"));
  expect_error(run({"train", "moons", "--epochs", "2", "--out", (folder / "x").string()}), 2,
               {"--epochs", "endless", "--steps"});
}

TEST(CliTrainOptions, MinutesStopTheRunAndSayHowToGoOn) {
  const TempFolder folder;
  const std::string out = (folder / "run").string();
  const Ran ran =
      run(std::vector<std::string>{"train", "moons", "--minutes", "0.02", "--out", out} +
          small_model());
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("out of time after "));
  EXPECT_THAT(ran.out, HasSubstr("the budget of 1.2 s is used up"));
  EXPECT_THAT(ran.out, HasSubstr("--resume --minutes M"));
  const auto before = run({"info", out, "--json"}).json();
  EXPECT_EQ(before["config"]["training"]["steps"], 0);  // as many as fit
  const Ran more = run({"train", "--out", out, "--resume", "--minutes", "0.03", "--json"});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(more.json()["status"], "out_of_time");
  EXPECT_GT(more.json()["step"].get<int64_t>(), before["step"].get<int64_t>());
}

struct Refused {
  const char* name;
  std::vector<std::string> arguments;
  int code;
  std::vector<std::string> parts;
};

class CliBadTrainOptions : public ::testing::TestWithParam<Refused> {};

TEST_P(CliBadTrainOptions, AreRefusedBeforeAnythingIsWritten) {
  const TempFolder folder;
  const std::string out = (folder / "run").string();
  const Ran ran = run(std::vector<std::string>{"train"} + GetParam().arguments +
                      std::vector<std::string>{"--out", out});
  expect_error(ran, GetParam().code, GetParam().parts);
  EXPECT_FALSE(fs::exists(out));
}

INSTANTIATE_TEST_SUITE_P(
    All, CliBadTrainOptions,
    ::testing::Values(
        Refused{"StepsTwice",
                {"moons", "--steps", "5", "--set", "training.steps=7"},
                2,
                {"one of --steps and --set training.steps", "both"}},
        Refused{"RateWithinATable",
                {"moons", "--lr", "0.1", "--set", "training.adam={learning_rate = 0.2}"},
                2,
                {"one of --lr and --set training.adam"}},
        Refused{"EpochsAndSteps", {"moons", "--steps", "5", "--epochs", "7"}, 2, {"--epochs"}},
        Refused{"TwoData", {"moons", "--data", "rings"}, 2, {"one of INPUT and --data"}},
        Refused{"NotANumber", {"moons", "--lr", "fast"}, 2, {"--lr", "fast"}},
        Refused{"WordOfAKey",
                {"moons", "--set", "training.lr=1e-3"},
                2,
                {"training.lr", "'training.adam.learning_rate'"}},
        Refused{"WordAlone", {"moons", "--set", "batch=3"}, 2, {"'training.batch_size'"}},
        Refused{"WordOfTwoKeys",
                {"moons", "--set", "model.layers=3"},
                2,
                {"'model.blocks' or 'model.net.depth'"}},
        Refused{"KeyElsewhere",
                {"moons", "--set", "training.learning_rate=1"},
                2,
                {"'training.adam.learning_rate'"}},
        Refused{
            "WordOfAnOption", {"moons", "--learning-rate", "1e-3"}, 2, {"Did you mean '--lr'?"}},
        Refused{"KeyAsAnOption",
                {"moons", "--training.patience", "3"},
                2,
                {"'--set training.patience=VALUE'"}},
        Refused{"MissingConfig", {"missing.toml"}, 1, {"missing.toml", "does not exist"}},
        Refused{"NearName", {"moosn"}, 1, {"Did you mean 'moons'?"}},
        Refused{"ModelAsData", {"residual"}, 2, {"a model", "--model residual"}},
        Refused{"FamilyAsModel", {"moons", "--model", "contractive"}, 2, {"a family", "monotone"}}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(CliMistakes, RunsAndFilesInTheWrongPlaceAreNamed) {
  const TempFolder folder;
  write_bytes(folder / "in.csv", "x0,x1\n1,2\n");
  const std::string model = moons_run().string(), rows = (folder / "in.csv").string();
  expect_error(run({"score", rows, model, "-o", (folder / "o.csv").string()}), 2,
               {"RUN", "a file of rows", "The run comes first"});
  expect_error(run({"score", model, model, "-o", (folder / "o.csv").string()}), 2,
               {"INPUT", "a run folder"});
  expect_error(run({"evaluate", rows}), 2, {"RUN", "a file of rows"});
  expect_error(run({"info", model + "/config.toml"}), 2, {"a config", "the folder of the run"});
  expect_error(run({"info", model + "x"}), 1, {"Did you mean '" + model + "'?"});
  expect_error(run({"train", model}), 2, {"a run folder", "--out " + model + " --resume"});
  expect_error(run({"train", model + "/checkpoint.safetensors"}), 2, {"a checkpoint", "--resume"});
  expect_error(run({"compare", model}), 2, {"contraflow compare", "For example"});
  EXPECT_EQ(run({"score", model}).code, 2);
}

TEST(CliMistakes, FirstWordsThatAreNoCommands) {
  expect_error(run({"--train"}), 2, {"'--train'", "Did you mean 'train'?"});
  expect_error(run({"help", "trian"}), 2, {"'trian'", "Did you mean 'train'?"});
  EXPECT_EQ(run({"help"}).out, run({"--help"}).out);
  EXPECT_EQ(run({"help", "score"}).out, run({"score", "--help"}).out);
}

TEST(CliHelp, TheFirstPageOfTrainIsShortAndLeadsToTheRest) {
  const Ran page = run({"train", "--help"});
  EXPECT_EQ(page.code, 0);
  for (const char* text : {"Examples:", "--steps", "--resume", "--set", "--help-all"})
    EXPECT_THAT(page.out, HasSubstr(text));
  for (const char* text : {"training.adam.beta1", "--device", "--threads"})
    EXPECT_THAT(page.out, Not(HasSubstr(text)));
  EXPECT_LT(std::count(page.out.begin(), page.out.end(), '\n'), 60);
}

TEST(CliHelp, WordsComeBeforeJargon) {
  const std::string certify = run({"certify", "--help"}).out;
  EXPECT_LT(certify.find("can be undone"), certify.find("Lipschitz"));
  const std::string models = run({"list", "models"}).out;
  EXPECT_THAT(models, HasSubstr("residual"));
  for (const char* word : {"model", "preset", "presets"})
    EXPECT_EQ(run({"list", word}).out, models);
  EXPECT_THAT(run({"list", "family"}).out, HasSubstr("contractive"));
}

}  // namespace
}  // namespace contraflow::testing
