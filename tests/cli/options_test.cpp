#include "cli/program.h"

#include <fstream>

#include "contraflow/core/text.h"
#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;

TEST(CliOptions, MatchTheGoldenList) {
  std::ifstream golden(std::string(CONTRAFLOW_TEST_DATA) + "/cli_options.txt");
  std::vector<std::string> expected;
  for (std::string line; std::getline(golden, line);) expected.push_back(line);
  const std::vector<std::string> got = cli::option_names();
  EXPECT_EQ(got, expected) << "An option is a promise to users: say why it changes, then update "
                              "tests/golden/cli_options.txt to:\n"
                           << join(got, "\n");
}

TEST(CliOptions, HelpTeachesEveryKeyOfAConfig) {
  const Ran ran = run({"train", "--help-all"});
  EXPECT_EQ(ran.code, 0);
  for (const char* text : {"Examples:", "--device", "--resume", "training.adam.learning_rate",
                           "model.net.kind", "data.validation_fraction", "--set"}) {
    EXPECT_THAT(ran.out, HasSubstr(text));
  }
}

TEST(CliOptions, VersionAndBareCall) {
  EXPECT_THAT(run({"--version"}).out, HasSubstr("contraflow 0."));
  const Ran bare = run({});
  EXPECT_EQ(bare.code, 2);
  EXPECT_THAT(bare.out, HasSubstr("contraflow train checkerboard"));
}

TEST(CliOptions, UnknownWordsNameTheNearestOne) {
  expect_error(run({"score", "run", "in.csv", "--outt", "x.csv"}), 2,
               {"--outt", "Did you mean '--out'?"});
  expect_error(run({"evalute", "run"}), 2, {"'evalute'", "Did you mean 'evaluate'?"});
  expect_error(run({"info", "run", "more"}), 2, {"more", "no further argument"});
  expect_error(run({"sample", "run", "-n", "many", "-o", "x.csv"}), 2, {"many", "--help"});
  expect_error(run({"evaluate", "run", "--split", "tset"}), 2, {"tset"});
}

TEST(CliOptions, FailuresWithJsonAreOneObject) {
  const Ran ran = run({"info", "/nowhere/at/all", "--json"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.json()["exit_code"], 1);
  EXPECT_THAT(ran.json()["error"].get<std::string>(), HasSubstr("/nowhere/at/all"));
}

TEST(CliOptions, ListNamesWhatTheConfigTakes) {
  const Ran text = run({"list"});
  for (const char* name :
       {"monotone", "checkerboard", "contractive_block", "normal", "cpila", "FILE.csv"}) {
    EXPECT_THAT(text.out, HasSubstr(name));
  }
  const auto json = run({"list", "data", "--json"}).json();
  EXPECT_EQ(json["data"].size(), 16U);
  EXPECT_EQ(json["files"].size(), 6U) << "what can be trained on by its path";
  EXPECT_FALSE(json.contains("bases"));
}

}  // namespace
}  // namespace contraflow::testing
