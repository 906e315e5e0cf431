// What a trained run holds (info), and what is proven of it (certify).
#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;

TEST(CliCertify, ProvesEveryBlockOfATrainedRun) {
  const Ran ran = run({"certify", moons_run().string(), "--rows", "50", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json();
  EXPECT_EQ(json["verdict"], "CERTIFIED");
  ASSERT_EQ(json["blocks"].size(), 2U);
  for (const auto& block : json["blocks"]) {
    const double upper = block["lipschitz_upper"], lower = block["lipschitz_lower"];
    EXPECT_LT(upper, 1.0);
    EXPECT_LE(lower, upper);
    EXPECT_GT(lower, 0.0);
    EXPECT_LE(block["worst_round_trip_error"].get<double>(),
              block["worst_error_bound"].get<double>());
    EXPECT_LT(block["worst_round_trip_error"].get<double>(), 1e-4);
    EXPECT_FALSE(block["layers"].empty());
  }
  EXPECT_THAT(run({"certify", moons_run().string(), "--rows", "5", "--verbose"}).out,
              HasSubstr("norm >="));
}

TEST(CliCertify, SaysWhatWasMeasuredBeforeWhatIsProven) {
  const std::string text = run({"certify", moons_run().string(), "--rows", "20"}).out;
  const size_t measured = text.find("round trip"), own = text.find("own units: x0 "),
               proven = text.find("proven"), blocks = text.find("block 1");
  EXPECT_LT(measured, own);
  EXPECT_LT(own, proven);
  EXPECT_LT(proven, blocks);
  const auto json = run({"certify", moons_run().string(), "--rows", "20", "--json"}).json();
  EXPECT_TRUE(json["useful_bound"].get<bool>());
  EXPECT_FALSE(json["standardised"].get<bool>());  // built-in data come as they are
  ASSERT_EQ(json["worst_own_errors"].size(), 2U);
  EXPECT_LE(json["worst_own_errors"][0].get<double>(),
            json["worst_round_trip_error"].get<double>());
}

TEST(CliCertify, NamesTheNormOfAProof) {
  const auto certify = [](const std::vector<std::string>& set) {
    TempFolder folder;
    const std::string out = (folder / "run").string();
    const Ran trained = run(
        std::vector<std::string>{"train", "--data", "moons", "--model", "residual", "--out", out} +
        tiny() + set);
    EXPECT_EQ(trained.code, 0) << trained.err;
    return std::pair{run({"certify", out, "--rows", "20", "--json"}).json(),
                     run({"certify", out, "--rows", "20", "--verbose"}).out};
  };
  const auto [infinity, text] = certify({"--set", "model.net.norm_order=infinity"});
  EXPECT_EQ(infinity["verdict"], "CERTIFIED");
  for (const auto& block : infinity["blocks"]) {
    EXPECT_EQ(block["norm_order"], "inf");
    EXPECT_LE(block["lipschitz_lower"].get<double>(), block["lipschitz_upper"].get<double>());
    EXPECT_LT(block["lipschitz_upper"].get<double>(), 1.0);
    EXPECT_EQ(block["layers"][0]["input_order"], "inf");
  }
  EXPECT_THAT(text, HasSubstr("proven, p = inf"));
  EXPECT_THAT(text, HasSubstr("proven, inf -> inf"));
  const auto [learned, words] = certify({"--set", "model.net.norm_order=learned"});
  EXPECT_EQ(learned["verdict"], "CERTIFIED");  // by the caps on spectral norms
  for (const auto& block : learned["blocks"]) EXPECT_EQ(block["norm_order"], 2.0);
  EXPECT_THAT(words, HasSubstr("proven"));
  const auto [bare, estimates] =
      certify({"--set", "model.net.norm_order=learned", "--set", "model.net.euclidean=0"});
  EXPECT_EQ(bare["verdict"], "CERTIFIED");  // by the spectral norms of the weights as they are
  EXPECT_THAT(estimates, HasSubstr("estimated, "));
}

TEST(CliCertify, DoesNotCallAnEstimateAProof) {
  TempFolder folder;
  const std::string out = (folder / "run").string();
  ASSERT_EQ(run(std::vector<std::string>{"train", "--data", "moons", "--out", out} + tiny() +
                std::vector<std::string>{"--set", "model.net.norm=estimated"})
                .code,
            0);
  const Ran ran = run({"certify", out, "--rows", "20"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("NOT PROVEN"));
}

TEST(CliInfo, SumsUpTheModel) {
  const auto json = run({"info", moons_run().string(), "--json"}).json();
  EXPECT_EQ(json["preset"], "monotone");
  EXPECT_EQ(json["dim"], 2);
  EXPECT_EQ(json["step"], 4);
  EXPECT_GT(json["parameters"].get<int64_t>(), 0);
  EXPECT_LT(json["kappa"].get<double>(), 1.0);
  EXPECT_EQ(json["train_log_det"]["kind"], "exact");
}

TEST(CliInfo, SpeaksInWordsBeforeJargon) {
  const std::string text = run({"info", moons_run().string()}).out;
  EXPECT_THAT(text, HasSubstr("4 of 4 steps"));
  EXPECT_LT(text.find("\n  data"), text.find("\n  flow"));
  EXPECT_LT(text.find("each block's network"), text.find("Lipschitz"));
}

TEST(CliInfo, ARunOfMinutesHasStepsInATime) {
  TempFolder folder;
  const std::string out = (folder / "run").string();
  const Ran trained =
      run({"train", "moons", "--minutes", "0.02", "--out", out, "--set", "model.blocks=1"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string text = run({"info", out}).out;
  EXPECT_THAT(text, HasSubstr(" of a budget of 1.2 s"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("of 0 steps")));
}

TEST(CliInfo, PrintsLearnedMatrices) {
  TempFolder folder;
  const std::string out = (folder / "learned").string();
  const Ran trained =
      run(std::vector<std::string>{"train", "--data", "moons", "--out", out} + tiny() +
          std::vector<std::string>{"--set", "model.learn_form=true", "--set",
                                   "model.forms=[\"monotone\", \"residual\"]"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string text = run({"info", out}).out;
  EXPECT_THAT(text, HasSubstr("1 x learned monotone block"));
  EXPECT_THAT(text, HasSubstr("learned from residual"));
  const auto forms = run({"info", out, "--json"}).json()["forms"];
  ASSERT_EQ(forms.size(), 2);
  EXPECT_EQ(forms[1]["form"], "residual");
  EXPECT_TRUE(forms[1]["learned"].get<bool>());
  const std::vector<double> matrix = forms[1]["matrix"];
  EXPECT_EQ(matrix[0], 1.0);
  EXPECT_NE(matrix[1], 0.0);  // it has left its start
  EXPECT_NEAR(matrix[3], 1.0, 0.1);
  // The trained matrices come back from the checkpoint, and the model inverts.
  EXPECT_EQ(run({"certify", out, "--rows", "50"}).code, 0);
  EXPECT_THAT(run({"info", moons_run().string()}).out, ::testing::Not(HasSubstr("A w + B")));
}

TEST(CliInfo, PrintsTheRouletteOfEveryBlock) {
  const std::string text = run({"info", digits_run().string()}).out;
  EXPECT_THAT(text, HasSubstr("roulette (optimal)"));
  EXPECT_THAT(text, HasSubstr("block 1"));
  const auto laws = run({"info", digits_run().string(), "--json"}).json()["roulette"];
  ASSERT_FALSE(laws.empty());
  for (const auto& law : laws) {
    if (law["phase"] != "training") continue;
    EXPECT_TRUE(law["calibrated"].get<bool>());
    EXPECT_GT(law["gain"].get<double>(), 0.5);
    EXPECT_EQ(law["survival"][0], 1.0);
    EXPECT_GT(law["expected_passes"].get<double>(), 7.0);
    EXPECT_GE(law["expected_terms"].get<double>(), 1.0);
  }
  EXPECT_TRUE(run({"info", moons_run().string(), "--json"}).json()["roulette"].empty());
}

}  // namespace
}  // namespace contraflow::testing
