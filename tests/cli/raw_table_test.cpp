#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/number_text.h"
#include "contraflow/core/rng.h"
#include "contraflow/data/table.h"
#include "tests/cli/program.h"

// A table as an analyst's tool writes it, with known densities of the columns that have one.
namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kRawRows = 4000;

struct RawTable {
  std::string text = ",id,when,reading,share,price,visits,active,city,constant\n";
  /// Of the modelled columns given their kinds, nats a row: independent columns, so it adds up.
  double entropy = 0.0;
  int64_t missing = 0;
};

double normal_entropy(double deviation) {
  return 0.5 * std::log(2.0 * M_PI * M_E) + std::log(deviation);
}

RawTable make_raw_table() {
  RawTable out;
  const at::Tensor z = Rng(11).normal({kRawRows, 3}, at::kDouble);
  const at::Tensor u = Rng(12).uniform({kRawRows, 4}, at::kDouble);
  const auto v = [](const at::Tensor& t, int64_t r, int64_t c) { return t[r][c].item<double>(); };
  constexpr double kStay = 0.6;  // visits: geometric
  for (int64_t r = 0; r < kRawRows; ++r) {
    const bool missing = v(u, r, 3) < 0.03;
    out.missing += missing ? 1 : 0;
    const double visits = std::floor(std::log(v(u, r, 1)) / std::log(kStay));
    out.text += std::to_string(r) + ",u-" + std::to_string(r * 7919 % 100003) + "," +
                shortest(1.7e9 + 60.0 * v(z, r, 0)) + "," +
                (missing ? "" : shortest(20.0 + 0.5 * v(z, r, 1))) + "," + shortest(v(u, r, 0)) +
                "," + shortest(std::exp(2.0 + 1.5 * v(z, r, 2))) + "," + shortest(visits) + "," +
                (v(u, r, 2) < 0.3 ? "True" : "False") + (r % 3 == 0 ? ",Ulm" : ",Graz") + ",7\n";
  }
  const double p = 1.0 - kStay;
  out.entropy = normal_entropy(60.0) + normal_entropy(0.5) + 0.0 + normal_entropy(1.5) + 2.0 +
                -(p * std::log(p) + kStay * std::log(kStay)) / p +
                -(0.3 * std::log(0.3) + 0.7 * std::log(0.7));
  return out;
}

TEST(CliRawTable, GoesThroughEveryCommandWithoutAnOption) {
  const TempFolder folder;
  const RawTable table = make_raw_table();
  const std::string file = (folder / "raw.csv").string(), made = (folder / "run").string();
  write_bytes(file, table.text);
  const Ran trained = run({"train", file, "--out", made, "--json", "--set", "training.steps=600",
                           "--set", "model.blocks=4", "--lr", "2e-3"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  for (const char* line :
       {"read 3,", "when: continuous", "reading: continuous", "share: bounded from 0 to 1",
        "price: positive", "visits: ", "active: integer of 2 levels", "true as 1 and false as 0",
        "column_0: left out", "id: left out, words", "city: left out, words",
        "constant: left out, one value only, 7"}) {
    EXPECT_THAT(trained.err, HasSubstr(line));
  }
  EXPECT_THAT(trained.err, HasSubstr("dropped " + std::to_string(table.missing) + " of 4,000"));

  const auto evaluated = run({"evaluate", made, "--json", "--replicates", "16"}).json();
  const double nll = evaluated["probability_nats"]["mean"];
  const double error = evaluated["probability_nats"]["standard_error"];
  EXPECT_NEAR(nll, table.entropy, 0.25 + 3.0 * error);
  EXPECT_GT(nll, table.entropy - 3.0 * error) << "no held-out number falls below the truth";

  const Ran scored = run({"score", made, file, "-o", (folder / "scores.csv").string(), "--keep",
                          "id", "--flags", "--json"});
  ASSERT_EQ(scored.code, 0) << scored.err;
  EXPECT_EQ(scored.json()["rows"], kRawRows);
  EXPECT_EQ(scored.json()["flagged"]["missing"], table.missing);
  EXPECT_THAT(read_bytes(folder / "scores.csv"),
              ::testing::StartsWith("id,flag,log_prob,standard_error\nu-0,"));

  const std::string samples = (folder / "samples.csv").string();
  ASSERT_EQ(run({"sample", made, "-n", "500", "-o", samples}).code, 0);
  const data::Table drawn = data::read_table(samples);
  const auto column = [&](const char* name) {
    return drawn.rows.select(1, data::find_columns(drawn.columns, {name}, samples).front());
  };
  EXPECT_GT(column("share").min().item<double>(), 0.0);
  EXPECT_LT(column("share").max().item<double>(), 1.0);
  EXPECT_GT(column("price").min().item<double>(), 0.0);
  EXPECT_TRUE(column("visits").eq(column("visits").round()).all().item<bool>());
  EXPECT_NEAR(column("active").mean().item<double>(), 0.3, 0.1);
  EXPECT_NEAR(column("when").mean().item<double>(), 1.7e9, 20.0);
  EXPECT_EQ(run({"score", made, samples, "-o", (folder / "back.csv").string()}).code, 0);

  const Ran plotted = run({"plot", made, "--json"});
  EXPECT_EQ(plotted.code, 0) << plotted.err;
}

}  // namespace
}  // namespace contraflow::testing
