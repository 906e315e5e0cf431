#include <cmath>

#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(CliEvaluate, GivesTheLikelihoodWithItsError) {
  const auto json = run({"evaluate", moons_run().string(), "--json"}).json();
  EXPECT_EQ(json["rows"], 200);
  EXPECT_EQ(json["split"], "test");
  const double nll = json["nll_nats"]["mean"], error = json["nll_nats"]["standard_error"];
  EXPECT_GT(error, 0.0);
  EXPECT_NEAR(json["kl_nats"]["mean"].get<double>(), nll - json["data_entropy"].get<double>(),
              1e-12);
  EXPECT_GT(json["kl_nats"]["mean"].get<double>() + 4 * error, 0.0);
  EXPECT_EQ(json["replicates"], 1);  // nothing is random in two dimensions
  EXPECT_EQ(json["bias_bound"], 0.0);
  EXPECT_NEAR(json["base_entropy"]["mean"].get<double>(), 1.0 + std::log(2 * M_PI), 0.05);
}

TEST(CliEvaluate, IntegerColumnsComeInBitsPerDimension) {
  const Ran ran =
      run({"evaluate", digits_run().string(), "--rows", "40", "--replicates", "2", "--json"});
  const auto json = ran.json();
  const double nats = json["nll_nats"]["mean"], bits = json["bits_per_dim"]["mean"];
  EXPECT_NEAR(bits, nats / 64 / std::log(2.0), 1e-12);
  EXPECT_GT(bits, 1.0);
  EXPECT_LT(bits, 5.0);
  EXPECT_GT(json["estimator_error"].get<double>(), 0.0);
  EXPECT_EQ(json["replicates"], 2);
}

TEST(CliEvaluate, AgreesWithScoreOnTheSameRows) {
  TempFolder folder;
  const std::string out = (folder / "s.csv").string();
  const auto scored =
      run({"score", moons_run().string(), "--split", "test", "-o", out, "--json"}).json();
  const auto evaluated = run({"evaluate", moons_run().string(), "--json"}).json();
  EXPECT_NEAR(scored["mean_log_prob"]["mean"].get<double>(),
              -evaluated["nll_nats"]["mean"].get<double>(), 1e-9);
}

// One sign and one unit: scores and their means are log p(x); what is its negative is called a loss.
TEST(CliEvaluate, SpeaksOfTheSameNumberAsScoreAndTrain) {
  TempFolder folder;
  const std::string model = moons_run().string(), out = (folder / "s.csv").string();
  const auto json = run({"evaluate", model, "--json"}).json();
  const auto scored = run({"score", model, "--split", "test", "-o", out, "--json"}).json();
  EXPECT_NEAR(json["mean_log_prob"]["mean"].get<double>(),
              scored["mean_log_prob"]["mean"].get<double>(), 1e-9);
  EXPECT_EQ(json["mean_log_prob"]["mean"].get<double>(), -json["nll_nats"]["mean"].get<double>());
  EXPECT_EQ(json["lower_bound"], scored["lower_bound"]);
  const auto compared = run({"compare", model, model, "--json"}).json();
  EXPECT_EQ(compared["a"]["mean_log_prob"]["mean"].get<double>(),
            -compared["a"]["nll_nats"]["mean"].get<double>());
  const std::string words = run({"evaluate", model}).out;
  const std::string of_score = run({"score", model, "--split", "test", "-o", out}).out;
  for (const std::string& text : {words, of_score}) {
    EXPECT_THAT(text, HasSubstr("mean log p(x)"));
    EXPECT_THAT(text, HasSubstr(" nats per row"));
  }
  EXPECT_THAT(words, HasSubstr("nats per row, the mean of -log p(x)"));
}

TEST(CliEvaluate, OfIntegersGivesTheScoresOfScore) {
  TempFolder folder;
  const std::string model = digits_run().string();
  const auto json = run({"evaluate", model, "--rows", "40", "--replicates", "8", "--json"}).json();
  const auto scored = run({"score", model, "--split", "test", "-o", (folder / "s.csv").string(),
                           "--replicates", "8", "--json"})
                          .json();
  EXPECT_EQ(json["lower_bound"], scored["lower_bound"]);
  EXPECT_LT(json["mean_log_prob"]["mean"].get<double>(), 0.0);
  EXPECT_LT(scored["mean_log_prob"]["mean"].get<double>(), 0.0);
}

TEST(CliEvaluate, EveryEstimatorCanBeSet) {
  const auto evaluate = [](const std::vector<std::string>& set) {
    std::vector<std::string> words{"evaluate", moons_run().string(), "--rows", "50", "--json",
                                   // Solves from different starts then differ by less than 1e-9.
                                   "--set", "model.tolerance=1e-12"};
    for (const std::string& s : set) words.insert(words.end(), {"--set", s});
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  };
  const double exact = evaluate({})["nll_nats"]["mean"];
  // Two Rademacher probes are a whole group in two dimensions: only the bias is left.
  const std::vector<std::string> estimators[] = {
      {"model.eval_log_det=adaptive", "model.eval_log_det.tolerance=1e-5",
       "model.eval_log_det.probes=2"},
      {"model.eval_log_det=krylov", "model.eval_log_det.steps=2", "model.eval_log_det.probes=2"},
      {"model.eval_log_det=truncated", "model.eval_log_det.terms=30",
       "model.eval_log_det.probes=2"}};
  for (const auto& set : estimators) {
    const auto json = evaluate(set);
    const double bias = json["bias_bound"];
    EXPECT_GT(bias, 0.0);
    EXPECT_LE(bias, 1e-2);
    EXPECT_NEAR(json["nll_nats"]["mean"].get<double>(), exact, bias + 1e-9) << set[0];
    EXPECT_NEAR(json["estimator_error"].get<double>(), 0.0, 1e-9) << set[0];
  }
  const auto roulette = evaluate({"model.eval_log_det=roulette"});
  EXPECT_EQ(roulette["bias_bound"], 0.0);
  EXPECT_GT(roulette["estimator_error"].get<double>(), 0.0);
  EXPECT_NEAR(roulette["nll_nats"]["mean"].get<double>(), exact,
              5 * roulette["estimator_error"].get<double>());
}

TEST(CliEvaluate, SetChangesNothingThatWasTrained) {
  const std::string model = moons_run().string();
  expect_error(run({"evaluate", model, "--set", "model.blocks=3"}), 2,
               {"model.blocks", "model.eval_log_det"});
  expect_error(run({"evaluate", model, "--set", "model.eval_log_det.probes=2"}), 2, {"probes"});
  expect_error(run({"evaluate", model, "--set", "model.eval_log_det=krylow"}), 2,
               {"krylow", "krylov"});
}

// Two runs on the same rows.
const fs::path& other_moons_run() {
  static const TempFolder folder;
  static const fs::path path = [] {
    const std::string out = (folder / "moons").string();
    const Ran ran = run(
        std::vector<std::string>{"train", "--data", "moons", "--out", out, "--set",
                                 "data.test_rows=200"} +
        tiny() + std::vector<std::string>{"--set", "model.seed=7", "--set", "training.steps=40"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return fs::path(out);
  }();
  return path;
}

TEST(CliCompare, IsTheDifferenceOfTwoEvaluationsWithASmallerError) {
  const std::string a = moons_run().string(), b = other_moons_run().string();
  const auto json = run({"compare", a, b, "--json"}).json();
  const auto of = [](const std::string& model) {
    return run({"evaluate", model, "--json"}).json()["nll_nats"]["mean"].get<double>();
  };
  const double difference = json["difference_nats"]["mean"];
  EXPECT_EQ(json["rows"], 200);
  EXPECT_NEAR(difference, of(b) - of(a), 1e-9);
  const double error = json["difference_nats"]["standard_error"];
  EXPECT_GT(error, 0.0);
  EXPECT_LT(error, json["unpaired_error"].get<double>());
  EXPECT_EQ(json["replicates"], 1);
  EXPECT_EQ(json["bias_bound"], 0.0);
  ASSERT_LT(difference, -3 * error) << "ten times the steps should show";
  EXPECT_EQ(json["better"], "B");
}

TEST(CliCompare, TradedModelsTradeTheSign) {
  const std::string a = moons_run().string(), b = other_moons_run().string();
  const auto one = run({"compare", a, b, "--json"}).json();
  const auto other = run({"compare", b, a, "--json"}).json();
  EXPECT_NEAR(one["difference_nats"]["mean"].get<double>(),
              -other["difference_nats"]["mean"].get<double>(), 1e-12);
  EXPECT_NE(one["better"], other["better"]);
  const Ran text = run({"compare", a, b});
  for (const char* part : {"log p_A - log p_B", "95 % interval", "is better", "pairing"})
    EXPECT_THAT(text.out, HasSubstr(part));
}

TEST(CliCompare, AModelEqualsItselfWhateverIsRandom) {
  const Ran ran = run({"compare", digits_run().string(), digits_run().string(), "--rows", "20",
                       "--replicates", "2", "--json", "--set", "model.eval_log_det=adaptive"});
  const auto json = ran.json();
  EXPECT_EQ(json["difference_nats"]["mean"], 0.0);
  EXPECT_EQ(json["estimator_error"], 0.0);
  EXPECT_EQ(json["replicates"], 2);
  EXPECT_GT(json["bias_bound"].get<double>(), 0.0);
  EXPECT_TRUE(json["better"].is_null());
  EXPECT_TRUE(json.contains("difference_bits_per_dim"));
}

TEST(CliCompare, ReadsAFileAndRefusesWhatHasNoAnswer) {
  TempFolder folder;
  const std::string file = (folder / "rows.csv").string();
  const std::string a = moons_run().string(), b = other_moons_run().string();
  ASSERT_EQ(run({"sample", a, "-n", "300", "-o", file}).code, 0);
  EXPECT_EQ(run({"compare", a, b, "--data", file, "--json"}).json()["rows"], 300);
  expect_error(run({"compare", a, digits_run().string()}), 2,
               {"[compare] B: expected a model of rows of 2 columns", "one of rows of 64 columns"});
  expect_error(run({"compare", a, b, "--split", "train"}), 2, {"endless"});
  TempFolder other;
  const std::string seed = (other / "moons").string();
  ASSERT_EQ(run(std::vector<std::string>{"train", "--data", "moons", "--out", seed, "--set",
                                         "data.test_rows=100"} +
                tiny())
                .code,
            0);
  expect_error(run({"compare", a, seed}), 2, {"test_rows", "--data"});
}

TEST(CliSample, IsAFunctionOfTheSeedAlone) {
  TempFolder folder;
  const auto sample = [&](const std::string& name, const std::vector<std::string>& more) {
    const std::string out = (folder / name).string();
    const Ran ran = run(std::vector<std::string>{"sample", moons_run().string(), "-o", out} + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return read_bytes(out);
  };
  const std::string ten = sample("a.csv", {"-n", "10", "--seed", "3"});
  EXPECT_EQ(sample("b.csv", {"-n", "10", "--seed", "3"}), ten);
  EXPECT_NE(sample("c.csv", {"-n", "10", "--seed", "4"}), ten);
  EXPECT_THAT(ten, ::testing::StartsWith("x0,x1\n"));
  EXPECT_THAT(sample("d.csv", {"-n", "2", "--log-prob"}),
              ::testing::StartsWith("x0,x1,log_prob\n"));
}

TEST(CliSample, ReportsTheErrorOfTheSolve) {
  TempFolder folder;
  const auto json =
      run({"sample", moons_run().string(), "-n", "20", "-o", (folder / "s.csv").string(), "--json"})
          .json();
  const double bound = json["worst_error_bound"];
  EXPECT_GT(bound, 0.0);
  EXPECT_LT(bound, 1e-3);
}

TEST(CliSample, IntegerColumnsComeOutAsIntegers) {
  TempFolder folder;
  const fs::path out = folder / "s.csv";
  ASSERT_EQ(run({"sample", digits_run().string(), "-n", "3", "-o", out.string()}).code, 0);
  const std::string text = read_bytes(out);
  const std::string rows = text.substr(text.find('\n') + 1);
  EXPECT_EQ(rows.find_first_not_of("0123456789,\n"), std::string::npos) << rows;
}

TEST(CliPlot, DrawsWhatFitsTheData) {
  TempFolder folder;
  const std::string out = (folder / "pictures").string();
  const auto json =
      run({"plot", moons_run().string(), "--out", out, "--samples", "100", "--json"}).json();
  EXPECT_EQ(json["pictures"].size(), 5U);  // curves, density, warp, marginals, pairs
  for (const auto& path : json["pictures"]) {
    EXPECT_THAT(read_bytes(path.get<std::string>()), ::testing::StartsWith("\x89PNG"));
  }
}

TEST(CliPlot, DigitsBecomeImages) {
  TempFolder folder;
  const std::string out = (folder / "pictures").string();
  const Ran ran =
      run({"plot", digits_run().string(), "--kind", "samples", "--samples", "64", "--out", out});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(fs::exists(folder / "pictures" / "samples.png"));
  EXPECT_TRUE(fs::exists(folder / "pictures" / "marginals.png"));
  expect_error(run({"plot", digits_run().string(), "--kind", "warp"}), 2, {"two continuous"});
}

TEST(CliConditional, LabelledDataAskForTheirLabel) {
  TempFolder folder;
  std::string text = "a,b,kind\n";
  for (int i = 0; i < 80; ++i) {
    text += std::to_string(std::sin(i * 1.7)) + "," + std::to_string(std::cos(i * 2.3)) + "," +
            std::to_string(i % 2) + "\n";
  }
  write_bytes(folder / "t.csv", text);
  const std::string out = (folder / "run").string(), samples = (folder / "s.csv").string();
  const Ran trained = run(std::vector<std::string>{"train", "--data", (folder / "t.csv").string(),
                                                   "--out", out, "--set", "data.label=kind"} +
                          tiny());
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(run({"evaluate", out}).code, 0);
  EXPECT_EQ(run({"certify", out, "--rows", "8"}).code, 0);
  EXPECT_EQ(run({"sample", out, "-n", "3", "-o", samples, "--given", "kind=1"}).code, 0);
  expect_error(run({"sample", out, "-n", "3", "-o", samples}), 2, {"kind", "--given"});
  expect_error(run({"sample", out, "-n", "3", "-o", samples, "--given", "kind=2"}), 2, {"class"});
  EXPECT_EQ(run({"plot", out, "--kind", "density", "--given", "kind=0"}).code, 0);
}

// Scores of a CSV file as text, a row a line.
std::string scores_of(const std::string& model, const std::string& input, const fs::path& output,
                      const std::vector<std::string>& more = {}) {
  const Ran scored =
      run(std::vector<std::string>{"score", model, input, "-o", output.string()} + more);
  EXPECT_EQ(scored.code, 0) << scored.err;
  return read_bytes(output);
}

TEST(CliConditional, ScoresAreGivenTheRowsConditionOrOneForAll) {
  TempFolder folder;
  std::string table = "a,b,kind\n", ones = "a,b,kind\n", bare = "a,b\n", nameless;
  for (int i = 0; i < 80; ++i) {
    const std::string x = std::to_string(std::sin(i * 1.7)) + "," + std::to_string(std::cos(i));
    table += x + "," + std::to_string(i % 2) + "\n";
    ones += x + ",1\n";
    bare += x + "\n";
    nameless += x + "\n";
  }
  for (const auto& [name, text] : {std::pair{"t.csv", table},
                                   {"ones.csv", ones},
                                   {"bare.csv", bare},
                                   {"nameless.csv", nameless}})
    write_bytes(folder / name, text);
  const auto file = [&](const char* name) { return (folder / name).string(); };
  const std::string model = file("run");
  const Ran trained = run(std::vector<std::string>{"train", "--data", file("t.csv"), "--out", model,
                                                   "--set", "data.label=kind"} +
                          tiny());
  ASSERT_EQ(trained.code, 0) << trained.err;
  const fs::path out = folder / "s.csv";
  const std::string of_ones = scores_of(model, file("ones.csv"), out);
  EXPECT_NE(of_ones, scores_of(model, file("t.csv"), out));
  const std::vector<std::string> given{"--given", "kind=1"};
  for (const char* name : {"t.csv", "bare.csv", "nameless.csv"})
    EXPECT_EQ(of_ones, scores_of(model, file(name), out, given)) << name;
  expect_error(run({"score", model, file("bare.csv"), "-o", out.string()}), 2, {"kind"});
  expect_error(run({"score", model, file("bare.csv"), "-o", out.string(), "--given", "kind=2"}), 2,
               {"--given", "class"});
  EXPECT_NE(scores_of(model, "--split=test", out, {"--given", "kind=0"}),
            scores_of(model, "--split=test", out, {"--given", "kind=1"}));
  expect_error(run({"score", moons_run().string(), file("bare.csv"), "-o", out.string(), "--given",
                    "kind=1"}),
               2, {"no condition"});
}

TEST(CliConditional, ToysGiveTheirLabelAndItsEntropy) {
  const TempFolder folder;
  const std::string out = (folder / "run").string(), samples = (folder / "s.csv").string();
  const Ran trained =
      run(std::vector<std::string>{"train", "--data", "8gaussians", "--out", out, "--set",
                                   "data.label=label", "--set", "data.test_rows=200"} +
          tiny());
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto evaluated = run({"evaluate", out, "--json"}).json();
  EXPECT_EQ(evaluated["data_entropy"], 0.7587);
  EXPECT_GT(evaluated["kl_nats"]["mean"].get<double>(), 0.0);
  EXPECT_EQ(run({"sample", out, "-n", "3", "-o", samples, "--given", "label=7"}).code, 0);
  expect_error(run({"sample", out, "-n", "3", "-o", samples, "--given", "label=8"}), 2,
               {"a class from 0 to 7", "8"});
  EXPECT_EQ(run({"plot", out, "--kind", "density", "--given", "label=2"}).code, 0);
  EXPECT_THAT(run({"info", out}).out, HasSubstr("label"));
  EXPECT_THAT(run({"list", "data"}).out, HasSubstr("0.759 given its label (8)"));
  expect_error(run({"train", "--data", "line", "--out", (folder / "l").string(), "--set",
                    "data.label=label"}),
               2, {"label", "several parts", "'line'"});
}

TEST(CliConditional, DigitsAreModelledGivenTheirLabel) {
  const TempFolder folder;
  const std::string out = (folder / "run").string(), samples = (folder / "s.npy").string();
  const Ran trained =
      run(std::vector<std::string>{"train", "--data", "digits", "--model", "idensenet", "--out",
                                   out, "--set", "data.label=label"} +
          tiny() + std::vector<std::string>{"--set", "model.blocks=1"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(run({"evaluate", out, "--rows", "20", "--replicates", "2"}).code, 0);
  EXPECT_EQ(run({"sample", out, "-n", "4", "-o", samples, "--given", "label=3"}).code, 0);
  expect_error(run({"sample", out, "-n", "4", "-o", samples}), 2, {"label", "--given label=VALUE"});
}

}  // namespace
}  // namespace contraflow::testing
