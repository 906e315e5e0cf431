// Reverse KL to an energy from the command line.
#include <cmath>

#include "contraflow/distributions/energies.h"
#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using ::testing::HasSubstr;

std::string config() {
  return (fs::path(CONTRAFLOW_PAPERS).parent_path() / "energy-u1.toml").string();
}

Words train(const fs::path& out) {
  return Words{"train",      config(), "--out",
               out.string(), "--set",  "training.schedule.warmup_steps=0"} +
         tiny();
}

struct Trained {
  TempFolder folder;
  fs::path path;
  Ran ran;
};

// The config's run, short, once for all tests that only read it.
const Trained& energy_run() {
  static Trained out;
  if (!out.path.empty()) return out;
  out.path = out.folder / "run";
  out.ran = run(train(out.path) + Words{"--set", "data.test_rows=500", "--json"});
  EXPECT_EQ(out.ran.code, 0) << out.ran.err;
  return out;
}

TEST(CliEnergy, TrainsValidatesAndDraws) {
  const auto json = energy_run().ran.json();
  EXPECT_EQ(json["objective"], "reverse_kl");
  EXPECT_EQ(json["status"], "completed");
  const double loss = json["validation"]["mean"], kl = json["reverse_kl"]["mean"];
  EXPECT_NEAR(kl - loss, log_normaliser(EnergyKind::kU1), 1e-9);
  EXPECT_GT(kl, 0.0);  // it is barely trained: far from 0, by Gibbs above it
  EXPECT_EQ(json["validation"]["rows"], 64);
  EXPECT_THAT(energy_run().ran.err, HasSubstr("4/4 100%"));
  for (const char* name :
       {"metrics.jsonl", "checkpoint.safetensors", "curves.png", "density.png"}) {
    EXPECT_TRUE(fs::exists(energy_run().path / name)) << name;
  }
}

TEST(CliEnergy, ResumedRunEndsInTheSameBytes) {
  const TempFolder folder;
  const Words constant{"--set", "training.schedule.kind=constant"};
  ASSERT_EQ(run(train(folder / "whole") + constant).code, 0);
  const std::string parts = (folder / "parts").string();
  ASSERT_EQ(run(train(parts) + constant + Words{"--set", "training.steps=2"}).code, 0);
  const Ran resumed = run({"train", "--out", parts, "--resume", "--set", "training.steps=4"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(read_bytes(folder / "parts" / "checkpoint.safetensors"),
            read_bytes(folder / "whole" / "checkpoint.safetensors"));
  expect_error(
      run({"train", "--out", parts, "--resume", "--set", "training.objective=max_likelihood"}), 2,
      {"objective", "reverse_kl"});
}

TEST(CliEnergy, EvaluateGivesTheReverseKlAndTheNormaliser) {
  const auto json = run({"evaluate", energy_run().path.string(), "--json"}).json();
  const auto& kl = json["reverse_kl"];
  EXPECT_EQ(kl["samples"], 500);
  EXPECT_NEAR(kl["log_z"].get<double>(), log_normaliser(EnergyKind::kU1), 1e-9);
  EXPECT_GT(kl["kl_nats"]["mean"].get<double>(), 0.0);
  EXPECT_GT(kl["kl_nats"]["standard_error"].get<double>(), 0.0);
  EXPECT_LT(kl["effective_samples"].get<double>(), 500.0);
  EXPECT_TRUE(kl["log_z_estimate"]["mean"].is_number());
  EXPECT_TRUE(json["kl_nats"]["mean"].is_number());  // to the density, by samples of it
  const Ran text = run({"evaluate", energy_run().path.string()});
  for (const char* part : {"reverse KL", "log Z", "importance sampling"})
    EXPECT_THAT(text.out, HasSubstr(part));
  EXPECT_FALSE(run({"evaluate", moons_run().string(), "--json"}).json().contains("reverse_kl"));
}

TEST(CliEnergy, OtherCommandsTakeItLikeAnyDensity) {
  const std::string path = energy_run().path.string();
  EXPECT_EQ(run({"certify", path, "--rows", "20"}).code, 0);
  EXPECT_THAT(run({"info", path}).out, HasSubstr("reverse_kl"));
  const TempFolder folder;
  EXPECT_EQ(run({"plot", path, "--out", (folder / "p").string()}).code, 0);
  // By its samples an energy is data for maximum likelihood, too.
  const Ran rows =
      run(Words{"train", "--data", "u2", "--out", (folder / "rows").string(), "--json"} + tiny());
  ASSERT_EQ(rows.code, 0) << rows.err;
  EXPECT_EQ(rows.json()["objective"], "max_likelihood");
  EXPECT_FALSE(rows.json().contains("reverse_kl"));
}

TEST(CliEnergy, NeedsAnEnergy) {
  const TempFolder folder;
  const std::string out = (folder / "run").string();
  expect_error(
      run({"train", "--data", "moons", "--out", out, "--set", "training.objective=reverse_kl"}), 2,
      {"training.objective", "'moons'", "u1"});
  expect_error(run({"train", "--data", "u1", "--out", out, "--set", "training.objective=reverse"}),
               2, {"training.objective", "reverse_kl"});
  EXPECT_FALSE(fs::exists(out));
}

TEST(CliEnergy, TrainsABaseThatHasParameters) {
  const TempFolder folder;
  const std::string out = (folder / "run").string();
  const auto trained = run(train(out) + Words{"--set", "model.base.type=diagonal_normal"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(fs::exists(fs::path(out) / "checkpoint.safetensors"));
}

}  // namespace
}  // namespace contraflow::testing
