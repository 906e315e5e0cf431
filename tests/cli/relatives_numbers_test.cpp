#include <ATen/ATen.h>

#include <cmath>

#include "tests/cli/table_program.h"

// Units, offsets, bounds: relatives of the faults of kinds 2 and 4 that tables once had.
namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;

class CliNumberRelatives : public TableProgram {
 protected:
  // At this many rows a held-out mean of a normal's log-density has an error of 0.05; the model's own
  // deficit after few steps is some hundredths.
  static constexpr double kClose = 0.2;

  void expect_nll(const std::string& data, double truth,
                  const std::vector<std::string>& more = {}) {
    train(data, more);
    EXPECT_NEAR(nll(), truth, kClose) << data;
    EXPECT_NEAR(-scores(data).mean().item<double>(), truth, kClose) << data;
  }

  // A density over `name` on [low, high]: it adds up to 1, and drawn rows lie inside of it, with the
  // log-density that they are scored with.
  void expect_density_on(double low, double high, const std::vector<std::string>& given = {}) {
    constexpr int64_t kCells = 4000;
    const at::Tensor grid = low + (high - low) * (at::arange(kCells, at::kDouble) + 0.5) / kCells;
    write_npy(folder_ / "grid.npy", grid);
    EXPECT_NEAR(scores("grid.npy", given).exp().mean().item<double>() * (high - low), 1.0, 5e-3);
    const at::Tensor drawn = draw(4000, given), x = drawn.select(1, 0).contiguous();
    EXPECT_TRUE(x.lt(high).all().item<bool>());
    write_npy(folder_ / "drawn_x.npy", x);
    EXPECT_LT((scores("drawn_x.npy", given) - drawn.select(1, 1)).abs().max().item<double>(), 1e-3);
  }
};

TEST_F(CliNumberRelatives, TimesPlacesAndMixedUnitsCostNothing) {
  const at::Tensor z = normal_values(1), w = normal_values(2);
  write("ns.csv", csv_text("t", (1.7e18 + 60e9 * z).round().unsqueeze(1)));
  expect_nll("ns.csv", kNormalEntropy + std::log(60e9));
  write("gps.csv", csv_text("lat,lon", at::stack({48.137154 + 1e-5 * z, 11.575 + 1.5e-5 * w}, 1)));
  expect_nll("gps.csv", 2.0 * kNormalEntropy + std::log(1.5e-10));
  write_npy(folder_ / "steps.npy", (1.7e5 + z).to(at::kFloat));
  expect_nll("steps.npy", kNormalEntropy);
  write("mixed.csv", csv_text("a,b", at::stack({1e-12 * z, 1e12 * w}, 1)));
  expect_nll("mixed.csv", 2.0 * kNormalEntropy);
  EXPECT_LT((scores("mixed.csv") - scores("mixed.csv", {"--dtype", "float32"}))
                .abs()
                .max()
                .item<double>(),
            0.01);
}

TEST_F(CliNumberRelatives, EveryCommandKeepsAnOffset) {
  const at::Tensor z = normal_values(1), w = normal_values(2);
  write_npy(folder_ / "t.npy", at::stack({1.7e9 + 60.0 * z, 6e4 + w / 86400.0}, 1));
  const double truth = 2.0 * kNormalEntropy + std::log(60.0 / 86400.0);
  expect_nll("t.npy", truth);
  const Ran certified = run({"certify", path("run"), "--json"});
  EXPECT_EQ(certified.code, 0) << certified.err;
  EXPECT_EQ(certified.json()["verdict"], "CERTIFIED");
  const Ran compared = run({"compare", path("run"), path("run"), "--json"});
  EXPECT_NEAR(compared.json()["a"]["nll_nats"]["mean"], truth, kClose) << compared.err;
  EXPECT_EQ(run({"plot", path("run"), "--kind", "density", "--out", path("pictures")}).code, 0);
  const at::Tensor drawn = draw(2000);
  // A lattice of float32 would have one value in 128 seconds.
  EXPECT_EQ(std::get<0>(at::_unique(drawn.select(1, 0))).size(0), 2000);
  EXPECT_NEAR(drawn.select(1, 1).mean().item<double>(), 6e4, 1e-5);
}

TEST_F(CliNumberRelatives, WeightsOfAnyScaleDoTheSame) {
  const at::Tensor z = normal_values(1), w = 1.0 + 2.0 * z.gt(0).to(at::kDouble);
  std::vector<double> found;
  for (const double scale : {1.0, 1e-300, 1e300}) {
    write("t.csv", csv_text("x,w", at::stack({z, scale * w}, 1)));
    train("t.csv", {"--weight", "w"});
    found.push_back(nll());
  }
  EXPECT_NEAR(found[1], found[0], 1e-9);
  EXPECT_NEAR(found[2], found[0], 1e-9);
}

TEST_F(CliNumberRelatives, IntegersThatFloat64CannotHoldAreNamed) {
  const at::Tensor z = normal_values(1, 200);
  write_npy(folder_ / "t.npy", at::stack({(1e3 * z).to(at::kLong),
                                          (60e9 * z).to(at::kLong) + 1'700'000'000'000'000'000},
                                         1));
  train("t.npy");
  EXPECT_THAT(notes_, HasSubstr("column_1: left out, integers beyond 2^53 in 200 of 200 rows"));
}

TEST_F(CliNumberRelatives, BoundsOnOneSideOrFarApart) {
  const at::Tensor u = uniform_values(3, 3000);
  write("above.csv", csv_text("x", (5.0 + u.log()).unsqueeze(1)));
  train("above.csv", {"--set", "data.kinds={x={kind=\"bounded\",upper=5}}"});
  EXPECT_NEAR(nll(), 1.0, kClose);
  expect_density_on(5.0 - 40.0, 5.0);
  write("wide.csv", csv_text("x", (1e9 * u).unsqueeze(1)));
  train("wide.csv", {"--set", "data.kinds={x={kind=\"bounded\",lower=0,upper=1e9}}"});
  EXPECT_NEAR(nll(), std::log(1e9), 0.05);
  expect_density_on(0.0, 1e9);
}

// Float64 has 40,000 numbers between these bounds: what is drawn is rounded, and scored as it is.
TEST_F(CliNumberRelatives, DrawnRowsHaveTheDensityOfWhatIsWritten) {
  const at::Tensor u = uniform_values(3, 3000);
  write("t.csv", csv_text("x", (1.7e9 + 0.01 * u).unsqueeze(1)));
  train("t.csv", {"--set", "data.kinds={x={kind=\"bounded\",lower=1.7e9,upper=1700000000.01}}"});
  EXPECT_NEAR(nll(), std::log(0.01), 0.05);
  expect_density_on(1.7e9, 1.7e9 + 0.01);
}

TEST_F(CliNumberRelatives, RowsOnABoundAndBoundsInFloat32) {
  at::Tensor u = uniform_values(3, 3000);
  u.narrow(0, 0, 3).fill_(0.0);
  u.narrow(0, 3, 2).fill_(1.0);
  write_npy(folder_ / "t.npy", u.to(at::kFloat));
  train("t.npy");
  EXPECT_THAT(notes_, HasSubstr("column_0: bounded from 0 to 1"));
  EXPECT_NEAR(nll(), 0.0, 0.08);
  write_npy(folder_ / "ends.npy", at::tensor({0.0, 1.0}, at::kDouble));
  EXPECT_TRUE(scores("ends.npy").isfinite().all().item<bool>());
  expect_density_on(0.0, 1.0);
}

TEST_F(CliNumberRelatives, AConditionMovesADensityWithinItsBounds) {
  const at::Tensor c = normal_values(4, 3000);
  const at::Tensor y = (c + 0.5 * normal_values(5, 3000)).sigmoid();
  write_npy(folder_ / "t.npy", at::stack({y, c}, 1));
  train("t.npy", {"--condition", "column_1", "--set",
                  "data.kinds={column_0={kind=\"bounded\",lower=0,upper=1}}"});
  for (const char* given : {"column_1=1.5", "column_1=-2.5"}) {
    expect_density_on(0.0, 1.0, {"--given", given});
  }
}

}  // namespace
}  // namespace contraflow::testing
