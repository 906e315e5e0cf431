// Weighted rows from the command line.
#include <ATen/ATen.h>

#include "contraflow/data/npy.h"
#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using ::testing::HasSubstr;

constexpr int kRows = 60;

int weight_of(int row) { return row % 4; }

std::string line(int row) {
  return std::to_string(row * 37 % kRows) + ".25," + std::to_string(row * 17 % kRows) + ".5";
}

// Every row of weight w in w lines, or in one line with its weight.
std::string table(bool with_weights) {
  std::string text = with_weights ? "a,w,b\n" : "a,b\n";
  for (int row = 0; row < kRows; ++row) {
    const std::string both = line(row), weight = std::to_string(weight_of(row));
    const size_t comma = both.find(',');
    if (with_weights) text += both.substr(0, comma) + "," + weight + both.substr(comma) + "\n";
    for (int k = 0; !with_weights && k < weight_of(row); ++k) text += both + "\n";
  }
  return text;
}

std::string weight_column(int rows = kRows) {
  std::string text = "weight\n";
  for (int row = 0; row < rows; ++row) text += std::to_string(weight_of(row)) + "\n";
  return text;
}

Words train(const fs::path& data, const fs::path& out, const Words& sets) {
  return Words{"train", "--data", data.string(), "--out", out.string()} + tiny() + sets;
}

struct Runs {
  TempFolder folder;
  fs::path with, other;
};

// Two models of the table with weights.
const Runs& runs() {
  static Runs out;
  if (!out.with.empty()) return out;
  write_bytes(out.folder / "t.csv", table(true));
  out.with = out.folder / "with";
  out.other = out.folder / "other";
  const Words weight{"--set", "data.weight=w"}, seed{"--set", "model.seed=5"};
  for (const auto& [path, more] : {std::pair{out.with, Words{}}, std::pair{out.other, seed}}) {
    const Ran ran = run(train(out.folder / "t.csv", path, weight + more));
    EXPECT_EQ(ran.code, 0) << ran.err;
  }
  return out;
}

TEST(CliWeights, EvaluateAndCompareTakeTheWeightsOfTheTraining) {
  const auto evaluated = [](const fs::path& path) {
    return run({"evaluate", path.string(), "--split", "train", "--json"}).json();
  };
  const auto with = evaluated(runs().with), other = evaluated(runs().other);
  EXPECT_EQ(with["rows"], 48);
  EXPECT_LT(with["effective_rows"].get<double>(), 36.0);  // of weights 0, 1, 2, 3 in turn: 64 %
  EXPECT_GT(with["effective_rows"].get<double>(), 24.0);
  const auto compared =
      run({"compare", runs().with.string(), runs().other.string(), "--split", "train", "--json"})
          .json();
  EXPECT_EQ(compared["effective_rows"], with["effective_rows"]);
  EXPECT_NEAR(compared["difference_nats"]["mean"].get<double>(),
              other["nll_nats"]["mean"].get<double>() - with["nll_nats"]["mean"].get<double>(),
              1e-9);
  EXPECT_THAT(run({"evaluate", runs().with.string(), "--split", "train"}).out,
              HasSubstr("weighted: as good as"));
}

TEST(CliWeights, IntegerWeightsCompareLikeRepeatedRows) {
  const TempFolder folder;
  write_bytes(folder / "rows.csv", table(false));
  const auto compare = [&](const fs::path& data, const Words& more) {
    const Ran ran = run(Words{"compare", runs().with.string(), runs().other.string(), "--data",
                              data.string(), "--json"} +
                        more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  };
  const auto repeated = compare(folder / "rows.csv", {});
  const auto weighted = compare(runs().folder / "t.csv", {"--weight", "w"});
  const auto ignored = compare(runs().folder / "t.csv", {});
  EXPECT_EQ(repeated["rows"], 90);
  EXPECT_EQ(weighted["rows"], kRows);
  for (const char* model : {"a", "b"}) {
    const double mean = weighted[model]["nll_nats"]["mean"];
    EXPECT_NEAR(mean, repeated[model]["nll_nats"]["mean"].get<double>(), 1e-12);
    EXPECT_GT(std::abs(mean - ignored[model]["nll_nats"]["mean"].get<double>()), 1e-4);
  }
  EXPECT_NEAR(weighted["rows_won_by_a"].get<double>(), repeated["rows_won_by_a"].get<double>(),
              1e-12);
  expect_error(run({"compare", runs().with.string(), runs().other.string(), "--weight", "w"}), 2,
               {"--weight", "--split"});
}

TEST(CliWeights, AFileOfTheirOwnIsTheSameAsAColumn) {
  const TempFolder folder;
  std::string plain = "a,b\n";
  for (int row = 0; row < kRows; ++row) plain += line(row) + "\n";
  write_bytes(folder / "t.csv", plain);
  write_bytes(folder / "w.csv", weight_column());
  data::NpyWriter npy(folder / "w.npy", 1, at::kDouble);
  npy.append(at::arange(kRows, at::kDouble).remainder(4).unsqueeze(1));
  npy.finish();
  const auto of_column = run({"evaluate", runs().with.string(), "--json"}).json();
  for (const char* file : {"w.csv", "w.npy"}) {
    const fs::path out = folder / (std::string(file) + "-run");
    const Ran ran =
        run(train(folder / "t.csv", out, {"--set", "data.weight=" + (folder / file).string()}));
    ASSERT_EQ(ran.code, 0) << ran.err;
    const auto json = run({"evaluate", out.string(), "--json"}).json();
    EXPECT_EQ(json["nll_nats"], of_column["nll_nats"]) << file;
    EXPECT_EQ(json["effective_rows"], of_column["effective_rows"]) << file;
  }
}

struct BadWeights {
  const char* name;
  std::string weights;  // of two rows
  int code;
  std::vector<std::string> parts;
};

class CliBadWeights : public ::testing::TestWithParam<BadWeights> {};

TEST_P(CliBadWeights, AreRefusedBeforeAnythingIsWritten) {
  const TempFolder folder;
  write_bytes(folder / "t.csv", "a,b\n1,2\n3,4\n5,5\n6,8\n");
  write_bytes(folder / "w.csv", GetParam().weights);
  const Ran ran =
      run(Words{"train", "--data", (folder / "t.csv").string(), "--out", (folder / "run").string(),
                "--set", "data.weight=" + (folder / "w.csv").string()});
  expect_error(ran, GetParam().code, GetParam().parts);
  EXPECT_FALSE(fs::exists(folder / "run"));
}

INSTANTIATE_TEST_SUITE_P(
    All, CliBadWeights,
    ::testing::Values(BadWeights{"Negative", "1\n-2\n1\n1\n", 2, {"w.csv", "row 1", "-2", ">= 0"}},
                      BadWeights{"NotANumber", "1\nnan\n1\n1\n", 2, {"w.csv", "row 1"}},
                      BadWeights{"AllZero", "0\n0\n0\n0\n", 2, {"w.csv", "above 0", "4 zeros"}},
                      BadWeights{"TooShort", "1\n1\n1\n", 2, {"w.csv", "4 rows", "[3, 1]"}},
                      BadWeights{"TwoColumns", "1,2\n1,2\n1,2\n1,2\n", 2, {"w.csv", "one column"}},
                      BadWeights{"Empty", "", 1, {"w.csv"}}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(CliWeights, ABadColumnIsRefused) {
  const TempFolder folder;
  write_bytes(folder / "t.csv", "a,b,w\n1,2,1\n3,4,-1\n5,5,1\n6,8,1\n");
  const auto train_with = [&](const std::string& weight) {
    return run({"train", "--data", (folder / "t.csv").string(), "--out", (folder / "run").string(),
                "--set", "data.weight=" + weight});
  };
  expect_error(train_with("w"), 2, {"weight 'w', row 1", "-1"});
  expect_error(train_with("wt"), 2, {"wt", "'w'"});
  expect_error(train_with((folder / "none.npy").string()), 1, {"none.npy"});
}

}  // namespace
}  // namespace contraflow::testing
