#include <ATen/ATen.h>

#include <cmath>
#include <map>

#include "tests/cli/table_program.h"

// Integers and conditions: relatives of the faults of kinds 6 and 7 that tables once had.
namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;

/// Values from `values`, of which the first has probability p[0], and so on, by u in [0, 1).
at::Tensor chosen(const at::Tensor& u, const std::vector<double>& values,
                  const std::vector<double>& p) {
  at::Tensor out = at::full_like(u, values.back());
  double below = 1.0;
  for (size_t k = p.size(); k-- > 0;) {
    out = at::where(u.lt(below), at::full_like(u, values[k]), out);
    below -= p[k];
  }
  return out;
}

double entropy_of(const std::vector<double>& p) {
  double out = 0.0;
  for (const double q : p) out -= q * std::log(q);
  return out;
}

class CliStepRelatives : public TableProgram {
 protected:
  // The probabilities of all cells of a file add up to 1, less what noise leaks over outer cells, and the
  // held-out mean of -log P is the entropy, up to the error of 300 rows and the model's deficit.
  void expect_probabilities(const std::string& cells, double entropy) {
    write("cells.csv", cells);
    const double sum = scores("cells.csv", {"--replicates", "500"}).exp().sum().item<double>();
    EXPECT_NEAR(sum, 1.0, 0.04) << cells;
    const auto probability = evaluate({"--replicates", "16"})["probability_nats"];
    const double error = probability["standard_error"];
    EXPECT_NEAR(probability["mean"], entropy, 0.08 + 4.0 * error);
  }
};

std::string cells_of(const std::vector<double>& values) {
  return csv_text("k", at::tensor(values, at::kDouble).unsqueeze(1));
}

TEST_F(CliStepRelatives, WholeNumbersOfAnySignAndSpelling) {
  const std::vector<double> p{0.1, 0.2, 0.3, 0.4}, values{-2, -1, 0, 1};
  const at::Tensor k = chosen(uniform_values(1, 3000), values, p);
  std::string text = "k\n";
  for (int64_t r = 0; r < k.size(0); ++r) text += std::to_string(k[r].item<int>()) + ".0\n";
  write("t.csv", text);
  train("t.csv");
  EXPECT_THAT(notes_, HasSubstr("k: integer of 4 levels from -2 to 1"));
  expect_probabilities(cells_of(values), entropy_of(p));
  const at::Tensor drawn = draw(500);
  EXPECT_TRUE(at::isin(drawn.select(1, 0), at::tensor(values, at::kDouble)).all().item<bool>());
  std::map<double, double> seen;
  for (int64_t r = 0; r < drawn.size(0); ++r) {
    const auto value = drawn[r][1].item<double>();
    EXPECT_EQ(seen.emplace(drawn[r][0].item<double>(), value).first->second, value);
  }
}

// The steps' unit is none of a probability: halves, fives, and tenths that are no short list of levels.
TEST_F(CliStepRelatives, StepsOfAnySizeHaveProbabilities) {
  const std::vector<double> p{0.1, 0.2, 0.3, 0.4}, places{2, 3, 4, 5};
  const at::Tensor k = chosen(uniform_values(1, 3000), places, p);
  write("t.csv", csv_text("k", (0.5 * k).unsqueeze(1)));
  train("t.csv");
  expect_probabilities(cells_of({1.0, 1.5, 2.0, 2.5}), entropy_of(p));
  write("t.csv", csv_text("k", (5.0 * k).unsqueeze(1)));
  train("t.csv");
  EXPECT_THAT(notes_, HasSubstr("k: integer steps of 5 of 4 levels from 10 to 25"));
  expect_probabilities(cells_of({10, 15, 20, 25}), entropy_of(p));
  const at::Tensor tenths = (3.0 * normal_values(2, 3000)).round();
  write("t.csv", csv_text("k", (20.0 + tenths / 10.0).unsqueeze(1)));
  train("t.csv");
  EXPECT_THAT(notes_, HasSubstr("k: integer steps of 0.1, with uniform noise"));
  const at::Tensor cells = at::arange(170, 231, at::kDouble) / 10.0;
  expect_probabilities(csv_text("k", cells.unsqueeze(1)), kNormalEntropy + std::log(3.0));
}

TEST_F(CliStepRelatives, ColumnsOfUnlikeLevels) {
  const at::Tensor u = uniform_values(1, 3000);
  const at::Tensor a = uniform_values(2, 3000).lt(0.5).to(at::kDouble);
  const at::Tensor b =
      (10.0 * u).floor() + 10.0 * a * uniform_values(3, 3000).lt(0.5).to(at::kDouble);
  write("t.csv", csv_text("a,b", at::stack({a, b}, 1)));
  train("t.csv");
  std::string cells = "a,b\n";
  for (int k = 0; k < 40; ++k)
    cells += std::to_string(k / 20) + "," + std::to_string(k % 20) + "\n";
  expect_probabilities(cells, std::log(2.0) + 0.5 * std::log(10.0) + 0.5 * std::log(20.0));
}

TEST_F(CliStepRelatives, ABooleanBesideANumber) {
  const at::Tensor b = uniform_values(1, 3000).lt(0.2), z = normal_values(2, 3000) + b;
  std::string text = "b,z\n";
  for (int64_t r = 0; r < 3000; ++r) {
    text += (b[r].item<bool>() ? "True," : "False,") + shortest(z[r].item<double>()) + "\n";
  }
  write("t.csv", text);
  train("t.csv");
  EXPECT_THAT(notes_, HasSubstr("true as 1 and false as 0"));
  const auto probability = evaluate({"--replicates", "16"})["probability_nats"];
  const double error = probability["standard_error"];
  EXPECT_NEAR(probability["mean"], entropy_of({0.2, 0.8}) + kNormalEntropy, 0.05 + 4.0 * error);
}

using CliConditionRelatives = TableProgram;

TEST_F(CliConditionRelatives, UnitsOffsetsAndConstantsChangeNothing) {
  const at::Tensor a = uniform_values(1), b = normal_values(2);
  const at::Tensor y = 3.0 * a - b + 0.2 * normal_values(3);
  const std::vector<std::string> given{"--condition", "a,b", "--set", "training.steps=500"};
  write("t.csv", csv_text("a,b,y", at::stack({a, b, y}, 1)));
  train("t.csv", given);
  const double expected = -scores("t.csv").mean().item<double>();
  EXPECT_NEAR(expected, kNormalEntropy + std::log(0.2), 0.3);
  write("t.csv", csv_text("a,b,y", at::stack({1e9 + 1e-3 * a, 1e-12 * b, y}, 1)));
  train("t.csv", given);
  EXPECT_NEAR(-scores("t.csv").mean().item<double>(), expected, 0.2);
  write("t.csv", csv_text("a,b,y", at::stack({at::full_like(a, 7.0), b, y + b}, 1)));
  train("t.csv", given);
  EXPECT_THAT(notes_, HasSubstr("a: given, one value only, 7: what other values do is not known"));
}

// A net as steep as the condition is far could not be solved.
TEST_F(CliConditionRelatives, HeavyTailsOfAConditionAreNoDivergence) {
  const at::Tensor c = (M_PI * (uniform_values(5) - 0.5)).tan();
  const at::Tensor y = c.tanh() + 0.3 * normal_values(2);
  write("t.csv", csv_text("c,y", at::stack({c, y}, 1)));
  train("t.csv", {"--condition", "c", "--set", "training.steps=500"});
  EXPECT_NEAR(-scores("t.csv").mean().item<double>(), kNormalEntropy + std::log(0.3), 0.3);
}

TEST_F(CliConditionRelatives, AClassWithoutRowsIsNamed) {
  const at::Tensor k = 2.0 * uniform_values(1, 400).gt(0.5).to(at::kDouble);
  write("t.csv", csv_text("k,y", at::stack({k, normal_values(2, 400)}, 1)));
  train("t.csv", {"--label", "k"});
  EXPECT_THAT(notes_, HasSubstr("k: no row has class 1 of 0 to 2"));
  const auto note_of = [&](const std::string& given) {
    return run({"sample", path("run"), "-n", "5", "-o", path("drawn.csv"), "--given", given}).err;
  };
  EXPECT_THAT(note_of("k=1"), HasSubstr("no row of class 1 of k"));
  EXPECT_THAT(note_of("k=2"), ::testing::Not(HasSubstr("no row")));
}

TEST_F(CliConditionRelatives, WordsAreGivenByName) {
  const at::Tensor k = (3.0 * uniform_values(1)).floor();
  const at::Tensor y = 3.0 * k + 0.5 * normal_values(2);
  const std::vector<std::string> words{"low", "mid", "top"};
  std::string text = "k,y\n";
  for (int64_t r = 0; r < k.size(0); ++r) {
    text += words[static_cast<size_t>(k[r].item<int64_t>())] + "," + shortest(y[r].item<double>()) +
            "\n";
  }
  write("t.csv", text);
  train("t.csv", {"--label", "k", "--lr", "1e-2"});
  const at::Tensor expected = scores("t.csv");
  write("y.csv", csv_text("y", y.unsqueeze(1)));
  std::vector<double> means;
  for (size_t w = 0; w < words.size(); ++w) {
    const std::vector<std::string> given{"--given", "k=" + words[w]};
    const at::Tensor gap = (scores("y.csv", given) - expected).abs();
    EXPECT_LT(gap.masked_select(k.eq(static_cast<double>(w))).max().item<double>(), 1e-5);
    means.push_back(draw(1000, given).select(1, 0).mean().item<double>());
  }
  EXPECT_LT(means[0] + 0.2, means[1]);
  EXPECT_LT(means[1] + 0.2, means[2]);
  expect_error(run({"sample", path("run"), "-n", "2", "-o", path("s.csv"), "--given", "k=Low"}), 2,
               {"low, mid, top", "Did you mean 'low'?"});
}

}  // namespace
}  // namespace contraflow::testing
