// What a new user types by mistake, and the hint that leads on.
#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct Slip {
  const char* name;
  std::vector<std::string> arguments;
  std::vector<std::string> parts;
};

class CliBadWords : public ::testing::TestWithParam<Slip> {};

// None of them needs a run or a file.
TEST_P(CliBadWords, GetTheHintThatLeadsOn) {
  expect_error(run(GetParam().arguments), 2, GetParam().parts);
}

INSTANTIATE_TEST_SUITE_P(
    All, CliBadWords,
    ::testing::Values(
        Slip{"FileAsACommand", {"events.csv"}, {"Did you mean 'contraflow train events.csv'?"}},
        Slip{"Fit", {"fit", "events.csv"}, {"Did you mean 'contraflow train'?"}},
        Slip{"Predict", {"predict", "run", "new.csv"}, {"Did you mean 'contraflow score'?"}},
        Slip{"Resume", {"resume", "runs/a"}, {"contraflow train --out RUN --resume"}},
        Slip{"Eval", {"eval", "runs/a"}, {"Did you mean 'contraflow evaluate'?"}},
        Slip{"Version", {"version"}, {"contraflow --version"}},
        Slip{"TwoTables", {"train", "a.csv", "b.csv"}, {"one table", "join the files", "score"}},
        Slip{"KeyWithoutSet", {"train", "moons", "model.blocks=3"}, {"'--set model.blocks=3'"}},
        Slip{"SetInTwoWords", {"train", "moons", "--set", "lr", "1e-3"}, {"'--set lr=1e-3'"}},
        Slip{"ColumnsWithSpaces",
             {"train", "a.csv", "--columns", "pt", "eta"},
             {"commas", "--columns pt,eta"}},
        Slip{"Epoch", {"train", "--epoch", "3"}, {"Did you mean '--epochs'?"}},
        Slip{"ResumeWithoutFolder", {"train", "--resume"}, {"--out", "the folder of the run"}},
        Slip{"PageOfHelp", {"train", "--help", "modle"}, {"Did you mean 'model'?"}},
        Slip{"ScoreWithoutRun", {"score", "new.csv"}, {"RUN", "The run comes first"}},
        Slip{"OutputAsAWord", {"score", "r", "in.csv", "out.csv"}, {"'--out out.csv'"}},
        Slip{"CountAsAWord", {"sample", "r", "1000", "-o", "x.csv"}, {"'--count 1000'"}},
        Slip{"LabelOfSamples",
             {"sample", "r", "-n", "5", "-o", "x.csv", "--label", "3"},
             {"Did you mean '--given NAME=VALUE'?"}},
        Slip{"DataOfEvaluate",
             {"evaluate", "r", "--data", "new.csv"},
             {"contraflow score RUN FILE -o scores.csv"}},
        Slip{"RowsOfEvaluate",
             {"evaluate", "r", "new.csv"},
             {"contraflow score RUN new.csv -o scores.csv"}},
        Slip{"RunAsAnOption",
             {"evaluate", "--run", "r"},
             {"no option of its own", "contraflow evaluate runs/checkerboard"}},
        Slip{"SplitOfAnotherName",
             {"evaluate", "r", "--split", "tset"},
             {"none of test, validation, train", "did you mean 'test'?"}},
        Slip{"KindOfPlot", {"plot", "r", "--kind", "curve"}, {"did you mean 'curves'?"}},
        Slip{"Preset",
             {"train", "moons", "--model", "monoton"},
             {"Did you mean 'monotone'? 'contraflow list models' shows them all."}},
        Slip{"FamilyOfManyPresets",
             {"train", "moons", "--model", "image"},
             {"a family of them", "names. 'contraflow list families' shows them all."}},
        Slip{"DataOfNoName",
             {"train", "--data", "xyzzy"},
             {"'contraflow list data' shows them all."}},
        Slip{"Draws", {"evaluate", "r", "--draws", "0"}, {"'--draws: '0' is not an integer"}},
        Slip{"DrawsOfScores", {"score", "r", "-o", "x.csv", "--draws=0"}, {"'--draws: '0'"}},
        Slip{"Replicates", {"compare", "a", "b", "--replicates", "1"}, {"'--replicates: '1'"}},
        Slip{"ShortCount", {"sample", "r", "-n", "0", "-o", "x.csv"}, {"'-n: '0'"}},
        Slip{
            "ShortOutput",
            {"sample", "r", "-n", "5", "-o", "x.jpg"},
            {"[sample] -o: expected", ".csv", ".npy", "of images also .png", "FOLDER/", "'x.jpg'"}},
        Slip{"Section", {"list", "activation_functions"}, {"none of models"}}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(CliMistakes, OtherFoldersAndFilesInThePlaceOfARun) {
  const std::string model = moons_run().string();
  const std::string folder = moons_run().parent_path().string();
  expect_error(run({"evaluate", folder}), 2, {"a folder of runs", "Did you mean '" + model + "'?"});
  expect_error(run({"info", model + "/metrics.jsonl"}), 2,
               {"a file that is neither", "Did you mean '" + model + "'?"});
  expect_error(run({model}), 2, {"Did you mean 'contraflow info "});
}

TEST(CliMistakes, AFolderThatHoldsARunIsRefusedBeforeTheTableIsRead) {
  const TempFolder folder;
  write_bytes(folder / "t.csv", "a,b\n1,2\n");
  const Ran ran = run({"train", (folder / "t.csv").string(), "--out", moons_run().string()});
  expect_error(ran, 2, {"a folder without a run", "--overwrite"});
  EXPECT_THAT(ran.err, Not(HasSubstr("read ")));
}

TEST(CliMistakes, ATableInAnotherFormatIsNoConfig) {
  const TempFolder folder;
  write_bytes(folder / "t.xlsx", "PK");
  expect_error(run({"train", (folder / "t.xlsx").string()}), 2,
               {"another format", "Save the table as .csv"});
}

TEST(CliMistakes, AFormatThatCannotBeWrittenIsNamedAtOnce) {
  expect_error(run({"score", "no_such_run", "rows.csv", "-o", "scores.xlsx"}), 2,
               {"scores.xlsx", ".csv"});
  expect_error(run({"sample", "no_such_run", "-n", "5", "-o", "rows.xlsx"}), 2,
               {"rows.xlsx", ".csv"});
}

TEST(CliMistakes, ABaseIsATypeOrATableOfOne) {
  const auto with_base = [](const std::string& base) {
    return run({"train", "--data", "moons", "--steps", "2", "--out", (TempFolder() / "r").string(),
                "--set", "model.blocks=1", "--set", "model.base=" + base});
  };
  EXPECT_EQ(with_base("\"logistic\"").code, 0);
  expect_error(with_base("\"nomal\""), 2, {"Did you mean 'normal'?"});
  expect_error(with_base("3"), 2, {"a table with a text", "got 3"});
  EXPECT_THAT(with_base("3").err, Not(HasSubstr("exception")));
  expect_error(with_base("\"uniform\""), 2, {"a density at every training row", "normal"});
}

TEST(CliMistakes, AConfigWithATypoNamesTheKey) {
  const TempFolder folder;
  write_bytes(folder / "a.toml", "[data]\nname = \"moons\"\n[trainig]\nsteps = 3\n");
  expect_error(run({"train", (folder / "a.toml").string()}), 2, {"trainig", "'training'"});
}

TEST(CliHelp, PagesOfTrainHaveTheirOptionsAndKeys) {
  struct Page {
    std::string topic, option, key, other;
  };
  for (const Page& page : {Page{"data", "--kinds", "data.missing", "model.blocks ="},
                           Page{"model", "--seed", "model.blocks", "training.steps ="},
                           Page{"training", "--device", "training.patience", "data.group ="}}) {
    const std::string text = run({"train", "--help", page.topic}).out;
    for (const std::string& part : {std::string("Examples:"), page.option, page.key + " = "})
      EXPECT_THAT(text, HasSubstr(part)) << page.topic;
    EXPECT_THAT(text, Not(HasSubstr(page.other))) << page.topic;
    EXPECT_EQ(run({"help", "train", page.topic}).out, text);
    EXPECT_THAT(run({"train", "--help"}).out, HasSubstr("train --help " + page.topic));
  }
}

}  // namespace
}  // namespace contraflow::testing
