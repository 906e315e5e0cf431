#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <regex>

#include "tests/cli/table_program.h"

// Tables with a known truth, through the program as a user would send them.
namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

using CliTables = TableProgram;

// Seconds of this century, one a minute; days with a spread of a second; places a metre apart; tiny
// and huge units. Their entropies differ by the logarithm of the unit alone.
TEST_F(CliTables, OffsetsAndUnitsCostNothing) {
  const at::Tensor z = normal_values(1);
  for (const auto& [offset, unit] : std::vector<std::pair<double, double>>{{1.7e9, 60.0},
                                                                           {6e4, 1.0 / 86400},
                                                                           {2460000.5, 1.0 / 86400},
                                                                           {48.137, 1e-5},
                                                                           {0.0, 1e-38},
                                                                           {0.0, 1e300}}) {
    write_npy(folder_ / "t.npy", offset + unit * z);
    // Rounding to the steps that float64 has at the offset is no information of the data.
    const double entropy = kNormalEntropy + std::log(unit);
    for (const char* dtype : {"float32", "float64"}) {
      train("t.npy", {"--set", std::string("training.dtype=") + dtype});
      const auto json = evaluate();
      const double nll = json["nll_nats"]["mean"];
      EXPECT_NEAR(nll, entropy, 0.15) << offset << " " << unit << " " << dtype;
    }
  }
}

TEST_F(CliTables, Float32AndFloat64ModelsAgree) {
  write_npy(folder_ / "t.npy", 1.7e9 + 60.0 * normal_values(1));
  train("t.npy");
  const at::Tensor wide = scores("t.npy"), narrow = scores("t.npy", {"--dtype", "float32"});
  EXPECT_LT((wide - narrow).abs().max().item<double>(), 0.01);
}

TEST_F(CliTables, ColumnsOfAFileWithoutNamesGoByTheirNumbers) {
  const at::Tensor z = normal_values(1), y = 10.0 + 0.1 * z + 0.1 * normal_values(2);
  write_npy(folder_ / "t.npy", at::stack({z, y}, 1));
  train("t.npy", {"--set", "data.columns=[\"column_1\",\"column_0\"]"});
  const double own = evaluate({"--split", "train"})["nll_nats"]["mean"];
  EXPECT_NEAR(-scores("t.npy").mean().item<double>(), own, 0.1);
  // What the model draws goes back to where it came from.
  ASSERT_EQ(run({"sample", path("run"), "-n", "1000", "-o", path("s.npy"), "--log-prob"}).code, 0);
  const at::Tensor drawn = data::read_table(path("s.npy")).rows;
  write_npy(folder_ / "d.npy", drawn.narrow(1, 0, 2).contiguous());
  EXPECT_LT((scores("d.npy") - drawn.select(1, 2)).abs().max().item<double>(), 1e-4);
}

TEST_F(CliTables, AConditionKeepsItsPlaceInAFileWithoutNames) {
  const at::Tensor c = normal_values(1), y = 5.0 * c + 0.1 * normal_values(2);
  write_npy(folder_ / "t.npy", at::stack({c, y}, 1));
  train("t.npy", {"--set", "data.condition=[\"column_0\"]", "--set", "training.steps=400"});
  EXPECT_NEAR(-scores("t.npy").mean().item<double>(),
              evaluate({"--split", "train"})["nll_nats"]["mean"], 0.1);
}

TEST_F(CliTables, ConditionsOfAnyUnitDoTheSame) {
  const at::Tensor c = Rng(1).uniform({2000}, at::kDouble);
  const at::Tensor y = (6.0 * c).sin() + 0.1 * normal_values(2);
  std::vector<double> losses;
  for (const double unit : {1.0, 100.0}) {
    write_npy(folder_ / "t.npy", at::stack({y, 1000.0 * (unit - 1.0) + unit * c}, 1));
    train("t.npy", {"--set", "data.condition=[\"column_1\"]"});
    losses.push_back(-scores("t.npy").mean().item<double>());
  }
  EXPECT_NEAR(losses[0], losses[1], 0.05);
}

TEST_F(CliTables, ARunKnowsItsData) {
  const at::Tensor rows = at::stack({normal_values(1, 400), normal_values(2, 400)}, 1);
  write_bytes(folder_ / "t.csv", csv_text("x,y", rows));
  train("t.csv");
  const double before = evaluate()["nll_nats"]["mean"];
  write_bytes(folder_ / "t.csv",
              csv_text("x,y", rows.index_select(0, rows.select(1, 0).argsort())));
  EXPECT_NEAR(evaluate()["nll_nats"]["mean"], before, 1e-9) << "sorted rows are the same data";
  write_bytes(folder_ / "t.csv", csv_text("x,y", rows.narrow(0, 0, 300)));
  expect_error(run({"evaluate", path("run")}), 2, {"400 rows", "300 rows", "--allow-changed-data"});
  EXPECT_LT(evaluate({"--allow-changed-data"})["rows"], 40);
}

TEST_F(CliTables, BoundedColumnsStayInsideAndAddUpToOne) {
  const at::Tensor u = Rng(3).uniform({3000}, at::kDouble);
  write_npy(folder_ / "t.npy", u);
  train("t.npy");
  EXPECT_THAT(notes_, HasSubstr("column_0: bounded from 0 to 1"));
  constexpr int64_t kCells = 20'000;
  write_npy(folder_ / "grid.npy", (at::arange(kCells, at::kDouble) + 0.5) / kCells);
  EXPECT_NEAR(scores("grid.npy").exp().mean().item<double>(), 1.0, 1e-3);
  ASSERT_EQ(run({"sample", path("run"), "-n", "20000", "-o", path("s.npy"), "--log-prob"}).code, 0);
  const at::Tensor drawn = data::read_table(path("s.npy")).rows;
  const at::Tensor x = drawn.select(1, 0);
  EXPECT_TRUE(x.gt(0.0).logical_and(x.lt(1.0)).all().item<bool>());
  write_npy(folder_ / "d.npy", x.contiguous());
  EXPECT_LT((scores("d.npy") - drawn.select(1, 1)).abs().max().item<double>(), 1e-3);
}

TEST_F(CliTables, OneBadRowStopsNoOther) {
  const at::Tensor x = 50.0 + normal_values(1);
  const at::Tensor rows = at::stack({x, x.exp() / x.exp().mean()}, 1);
  write_bytes(folder_ / "t.csv", csv_text("x,p", rows));
  train("t.csv");
  EXPECT_THAT(notes_, HasSubstr("p: positive"));
  write_bytes(folder_ / "in.csv", "x,p\n50,1\n50,-3\n1e200,1\n51,0.5\n");
  const Ran ran = run({"score", path("run"), path("in.csv"), "-o", path("scores.csv"), "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["flagged"]["outside"], 1);
  EXPECT_EQ(ran.json()["flagged"]["absurd"], 1);
  EXPECT_THAT(read_bytes(folder_ / "scores.csv"),
              ::testing::ContainsRegex("error\n[-0-9.e]+,0\n-inf,0\n-inf,0\n[-0-9.e]+,0\n$"));
}

TEST_F(CliTables, WhatIsNoMeasurementIsLeftOutAndSaid) {
  std::string text = ",x,flag,unit,floor\n";
  // Two heaps, which gain by a curve.
  const at::Tensor x = normal_values(1, 500) + 20.0 * uniform_values(2, 500).gt(0.5);
  for (int64_t r = 0; r < 500; ++r) {
    text += std::to_string(r) + "," + shortest(x[r].item<double>()) + "," +
            (r % 200 == 0 ? "1" : "0") + ",3," + std::to_string(r % 3) + "\n";
  }
  write_bytes(folder_ / "t.csv", text);
  train("t.csv");
  EXPECT_THAT(notes_, HasSubstr("column_0: left out, it numbers the rows"));
  EXPECT_THAT(notes_, HasSubstr("unit: left out, one value only, 3"));
  EXPECT_THAT(notes_, HasSubstr("flag: integer"));
  const Ran info = run({"info", path("run")});
  EXPECT_THAT(info.out, HasSubstr("column_0: left out"));
  EXPECT_TRUE(std::regex_search(info.out, std::regex("x: continuous.*curve of \\d+ knots")));
  EXPECT_THAT(info.out, HasSubstr("each with its mass; masses "));
  EXPECT_THAT(run({"evaluate", path("run")}).out, HasSubstr("upper bound"));
}

TEST_F(CliTables, AnAbsurdRowIsNamedAndSetsNoScale) {
  at::Tensor x = normal_values(1, 3000);
  x[7] = 1e6;
  write_npy(folder_ / "t.npy", x);
  train("t.npy");
  EXPECT_THAT(notes_, HasSubstr("row 7"));
  EXPECT_NEAR(evaluate()["nll_nats"]["mean"], kNormalEntropy, 0.15);
}

// Three levels twice: P of the nine cells, from the draws of the noise, against 1.
TEST_F(CliTables, ProbabilitiesOfAllCellsAddUpToOne) {
  const at::Tensor u = Rng(5).uniform({3000, 2}, at::kDouble);
  const at::Tensor a = (3.0 * u.select(1, 0)).floor();
  const at::Tensor b = at::where(u.select(1, 1).lt(0.7), a, (3.0 * u.select(1, 1)).floor());
  write_bytes(folder_ / "t.csv", csv_text("a,b", at::stack({a, b}, 1)));
  train("t.csv");
  write_bytes(folder_ / "all.csv", "a,b\n0,0\n0,1\n0,2\n1,0\n1,1\n1,2\n2,0\n2,1\n2,2\n");
  const at::Tensor many = scores("all.csv", {"--replicates", "2000"});
  const at::Tensor error = data::read_table(path("scores.npy")).rows.select(1, 1);
  const double sum = many.exp().sum().item<double>();
  const double sum_error = (many.exp() * error).norm().item<double>();
  EXPECT_LT(sum, 1.0 + 4.0 * sum_error);
  EXPECT_GT(sum, 0.9) << "the noise of a small model leaks over the outer cells";
  EXPECT_LT(error.max().item<double>(), 0.1);
  ASSERT_EQ(run({"sample", path("run"), "-n", "500", "-o", path("s.csv"), "--log-prob"}).code, 0);
  const at::Tensor drawn = data::read_table(path("s.csv")).rows;
  std::map<std::pair<double, double>, double> seen;
  for (int64_t r = 0; r < drawn.size(0); ++r) {
    const std::pair cell{drawn[r][0].item<double>(), drawn[r][1].item<double>()};
    const double value = drawn[r][2].item<double>();
    EXPECT_EQ(seen.emplace(cell, value).first->second, value);
  }
}

}  // namespace
}  // namespace contraflow::testing
