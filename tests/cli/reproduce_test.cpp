#include <cmath>
#include <csignal>
#include <fstream>

#include "cli/reproduce/regression.h"
#include "cli/reproduce/table_file.h"
#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

constexpr const char* kConfig =
    "[data]\nname = \"moons\"\ntest_rows = 100\nvalidation_rows = 32\n"
    "[model]\nblocks = 2\ntolerance = 1e-9\n[model.net]\ndepth = 1\ngrowth = 4\n"
    "[training]\nsteps = 4\nbatch_size = 32\ninit_rows = 64\nvalidate_every = 0\n"
    "checkpoint_every = 2\n";
constexpr const char* kFit =
    "test_points = 100\n[map.net]\ndepth = 1\ngrowth = 4\nactivation = \"crelu\"\n"
    "[training]\nsteps = 4\nbatch_size = 32\ncheckpoint_every = 2\n";

/// A folder of configs with one table, and what a run of it leaves.
class Tables {
 public:
  Tables() {
    write("run.toml", kConfig);
    write("fit.toml", kFit);
  }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories(folder_ / "configs" / "small");
    write_bytes(folder_ / "configs" / "small" / name, text);
  }
  /// A table file of these rows.
  void write_table(const std::string& rows) {
    write("table.toml", "title = \"Small\"\ncertificate_rows = 32\n" + rows);
  }
  std::vector<std::string> command(const std::string& runs = "runs",
                                   const std::string& out = "out") const {
    return {"reproduce", "small",
            "--configs", (folder_ / "configs").string(),
            "--runs",    (folder_ / runs.c_str()).string(),
            "--out",     (folder_ / out.c_str()).string(),
            "--json"};
  }
  fs::path operator/(const std::string& path) const { return folder_ / path.c_str(); }

 private:
  TempFolder folder_;
};

std::string row(const std::string& name, const std::string& more = "") {
  const bool fit = more.find("regression") != std::string::npos;
  return "[[rows]]\nname = \"" + name + "\"\nmodel = \"Monotone\"\nconfig = \"" +
         (fit ? "fit.toml" : "run.toml") + "\"\n" + more + "\n";
}

const Json& find_row(const Json& report, const std::string& name) {
  for (const Json& one : report["rows"]) {
    if (one["row"] == name) return one;
  }
  static const Json none;
  ADD_FAILURE() << "no row " << name;
  return none;
}

// ------------------------------------------------------------------ the tables of the repository

/// Names of the rows of a table that --rows has to ask for.
Json rows_on_request(const std::string& table) {
  Json out = Json::array();
  for (const cli::RowOptions& row : cli::load_table(table, CONTRAFLOW_PAPERS).options.rows)
    if (row.on_request) out.push_back(row.name);
  return out;
}

class PaperTable : public ::testing::TestWithParam<const char*> {};

TEST_P(PaperTable, QuickRunsEveryRowEndToEnd) {
  TempFolder folder;
  const std::string name = GetParam(), out = (folder / "out").string();
  const Ran ran = run({"reproduce", name, "--quick", "--json", "--configs", CONTRAFLOW_PAPERS,
                       "--runs", (folder / "runs").string(), "--out", out});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json report = ran.json();
  EXPECT_EQ(Json::parse(read_bytes(folder / "out" / (name + ".json"))), report);
  EXPECT_EQ(report["missing"], rows_on_request(name));
  EXPECT_TRUE(report["quick"].get<bool>());
  EXPECT_GE(report["rows"].size(), 4U);
  const std::string markdown = read_bytes(folder / "out" / (name + ".md"));
  for (const Json& one : report["rows"]) {
    EXPECT_THAT(markdown, HasSubstr(one["row"].get<std::string>()));
    for (const char* key : {"data", "model", "paper", "steps", "seconds", "seed", "command",
                            "standard_error", "machine"}) {
      EXPECT_TRUE(one.contains(key)) << one["row"] << " " << key;
    }
    EXPECT_TRUE(one["certificate"]["holds"].get<bool>()) << one.dump(1);
    EXPECT_LT(one["certificate"]["worst_lipschitz_upper"].get<double>(), 1.0);
    EXPECT_LE(one["certificate"]["worst_round_trip_error"].get<double>(), 1e-6);
    if (!one.contains("picture")) continue;
    const fs::path picture =
        folder / "runs" / one["row"].get<std::string>() / one["picture"].get<std::string>();
    EXPECT_THAT(read_bytes(picture), ::testing::StartsWith("\x89PNG"));
  }
  ASSERT_FALSE(report["pictures"].empty());
  for (const Json& picture : report["pictures"]) {
    EXPECT_THAT(read_bytes(folder / "out" / picture.get<std::string>()),
                ::testing::StartsWith("\x89PNG"));
  }
}
INSTANTIATE_TEST_SUITE_P(Papers, PaperTable,
                         ::testing::Values("images", "monotone-toy2d", "monotone-1d",
                                           "residual-toy2d"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// ------------------------------------------------------------------------------------- results

TEST(CliReproduce, RowsCarryWhatTheTableIsAbout) {
  Tables tables;
  tables.write_table(row("a", "paper = 2.4") +
                     row("e",
                         "kind = \"bias\"\nset = [\"training."
                         "validate_every=2\", \"training.log_every=1"
                         "\", \"model.train_log_det=truncated\"]") +
                     row("f", "kind = \"regression\""));
  const Ran ran = run(tables.command());
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json a = find_row(ran.json(), "a");
  EXPECT_EQ(a["data"], "moons");
  EXPECT_EQ(a["paper"], 2.4);
  EXPECT_EQ(a["steps"], 4);
  EXPECT_EQ(a["test_rows"], 100);
  EXPECT_NEAR(a["kl"].get<double>(), a["nll"].get<double>() - a["entropy"].get<double>(), 1e-12);
  EXPECT_GT(a["standard_error"].get<double>(), 0.0);
  EXPECT_GE(a["machine"]["cores"].get<int>(), 1);
  EXPECT_EQ(a["command"], "contraflow reproduce small --rows a");
  const Json e = find_row(ran.json(), "e");
  EXPECT_EQ(e["weights"], "last");
  EXPECT_EQ(e["trace"]["step"], (Json{2, 4}));
  EXPECT_EQ(e["trace"]["claimed"].size(), 2U);
  EXPECT_NE(e["claimed"], e["nll"]);  // a cut series is not the log-determinant
  const Json f = find_row(ran.json(), "f");
  EXPECT_GT(f["mse"].get<double>(), 0.0);
  EXPECT_EQ(f["curve"]["x"].size(), f["curve"]["fitted"].size());
}

TEST(CliReproduce, RowsOfImagesAreInBitsPerDimension) {
  Tables tables;
  tables.write("run.toml",
               "[data]\nname = \"digits_images\"\ntest_rows = 40\nvalidation_rows = 32\n"
               "[model]\npreset = \"idensenet\"\nblocks = 1\ntolerance = 1e-9\n"
               "[model.net]\ndepth = 1\ngrowth = 4\nkernels = [3, 1]\n"
               "[training]\nsteps = 4\nbatch_size = 16\nvalidate_every = 2\n");
  tables.write_table(row("a", "paper = 2.03") +
                     row("big", "on_request = true\ndraws = 2\ntest_rows = 25"));
  const Ran ran = run(tables.command());
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["missing"], Json{"big"}) << "on request";
  const Json a = find_row(ran.json(), "a");
  const double scale = 64.0 * std::log(2.0);
  EXPECT_NEAR(a["bits_per_dim"].get<double>(), a["nll"].get<double>() / scale, 1e-12);
  EXPECT_NEAR(a["bits_per_dim_standard_error"].get<double>(),
              a["standard_error"].get<double>() / scale, 1e-12);
  EXPECT_GT(a["bits_per_dim_noise_error"].get<double>(), 0.0);
  EXPECT_EQ(a["draws"], 4);
  EXPECT_LT(a["probability_bits_per_dim"].get<double>(), a["bits_per_dim"].get<double>());
  EXPECT_TRUE(a["certificate"]["holds"].get<bool>());
  EXPECT_LE(a["certificate"]["worst_round_trip_error"].get<double>(), 1e-6);
  EXPECT_THAT(read_bytes(tables / "out/small.md"), HasSubstr("bits/dim"));
  ASSERT_EQ(ran.json()["pictures"], Json{"small/a.png"});
  EXPECT_THAT(read_bytes(tables / "out/small/a.png"), ::testing::StartsWith("\x89PNG"));
  const Ran asked = run(tables.command() + std::vector<std::string>{"--rows", "big"});
  ASSERT_EQ(asked.code, 0) << asked.err;
  EXPECT_TRUE(asked.json()["missing"].empty());
  const Json big = find_row(asked.json(), "big");
  EXPECT_EQ(big["draws"], 2);
  EXPECT_EQ(big["test_rows"], 25);
  EXPECT_GT(big["standard_error"].get<double>(), a["standard_error"].get<double>());
}

TEST(CliReproduce, SaysWhenACertificateDoesNotHold) {
  Tables tables;
  tables.write_table(row("guess", "set = [\"model.net.norm=estimated\"]"));
  const Ran ran = run(tables.command());
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_FALSE(find_row(ran.json(), "guess")["certificate"]["holds"].get<bool>());
  EXPECT_THAT(read_bytes(tables / "out/small.md"), HasSubstr("does not hold"));
}

TEST(CliReproduce, RowsLimitTheRunAndTheReportKeepsTheOthers) {
  Tables tables;
  tables.write_table(row("a") + row("b"));
  const Ran first = run(tables.command() + std::vector<std::string>{"--rows", "a"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.json()["missing"], Json{"b"});
  EXPECT_FALSE(fs::exists(tables / "runs/b"));
  // Run elsewhere: the numbers that were reported before stay in the report.
  const Ran second = run(tables.command("elsewhere") + std::vector<std::string>{"--rows", "b"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(second.json()["rows"].size(), 2U);
  EXPECT_EQ(find_row(second.json(), "a"), find_row(first.json(), "a"));
}

// -------------------------------------------------------------------------------------- resume

TEST(CliReproduce, AFinishedRowIsNeverRunAgain) {
  Tables tables;
  tables.write_table(row("a"));
  ASSERT_EQ(run(tables.command()).code, 0);
  // A mark that a second run would wipe out.
  const fs::path result = tables / "runs/a/result.json";
  Json marked = Json::parse(read_bytes(result));
  marked["nll"] = 12.5;
  write_bytes(result, marked.dump());
  const auto trained = fs::last_write_time(tables / "runs/a/checkpoint.safetensors");
  const Ran again = run(tables.command());
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("finished before"));
  EXPECT_EQ(find_row(again.json(), "a")["nll"], 12.5);
  EXPECT_EQ(fs::last_write_time(tables / "runs/a/checkpoint.safetensors"), trained);
}

std::string first_line(const fs::path& path) {
  const std::string text = read_bytes(path);
  return text.substr(0, text.find('\n'));
}

void kill_within_row(Tables& tables, const std::string& name) {
  Program program(tables.command("killed"));
  const fs::path checkpoint = tables / ("killed/" + name + "/checkpoint.safetensors");
  for (int i = 0; i < 6000 && !fs::exists(checkpoint); ++i) ::usleep(5'000);
  ::kill(program.process(), SIGKILL);
  program.wait();
  ASSERT_TRUE(fs::exists(tables / "killed/a/result.json"));
  ASSERT_FALSE(fs::exists(tables / ("killed/" + name + "/result.json"))) << "the row was too short";
}

void expect_resumed(const std::string& kind) {
  Tables tables;
  tables.write_table(
      row("a") +
      row("long", kind + "set = [\"training.steps=3000\", "
                         "\"training.checkpoint_every=20\", \"training.log_every=10\"]"));
  kill_within_row(tables, "long");
  const std::string begun = first_line(tables / "killed/long/metrics.jsonl");
  const Ran resumed = run(tables.command("killed"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("a: finished before"));
  EXPECT_THAT(resumed.err, HasSubstr("long: going on from its checkpoint"));
  EXPECT_EQ(find_row(resumed.json(), "long")["steps"], 3000);
  // The same line with the same clock: it was not begun again.
  EXPECT_EQ(first_line(tables / "killed/long/metrics.jsonl"), begun);
  const Ran whole = run(tables.command("whole", "other"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_EQ(read_bytes(tables / "killed/long/checkpoint.safetensors"),
            read_bytes(tables / "whole/long/checkpoint.safetensors"));
  const char* value = kind.empty() ? "nll" : "mse";
  EXPECT_EQ(find_row(resumed.json(), "long")[value], find_row(whole.json(), "long")[value]);
}

TEST(CliReproduce, AKilledDensityRowGoesOnFromItsCheckpoint) { expect_resumed(""); }

TEST(CliReproduce, AKilledRegressionRowGoesOnFromItsCheckpoint) {
  expect_resumed("kind = \"regression\"\n");
}

TEST(CliReproduce, ARegressionRowOfSeveralSeedsReportsTheirMean) {
  Tables tables;
  const std::string fit = "kind = \"regression\"\n";
  tables.write_table(row("one", fit + "set = [\"map.seed=4\", \"training.seed=4\"]") +
                     row("three", fit + "set = [\"map.seed=3\", \"training.seed=3\", "
                                        "\"repeats=3\"]"));
  const Ran ran = run(tables.command());
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("three: fit 3 of 3"));
  const Json three = find_row(ran.json(), "three");
  const auto errors = three["mse_of_seeds"].get<std::vector<double>>();
  ASSERT_EQ(errors.size(), 3U);
  EXPECT_EQ(errors[1], find_row(ran.json(), "one")["mse"].get<double>());
  const double mean = (errors[0] + errors[1] + errors[2]) / 3;
  double square = 0.0;
  for (const double e : errors) square += (e - mean) * (e - mean);
  EXPECT_GT(square, 0.0);
  EXPECT_NEAR(three["mse"].get<double>(), mean, 1e-12 * mean);
  EXPECT_NEAR(three["standard_error"].get<double>(), std::sqrt(square / 6), 1e-9 * mean);
  EXPECT_EQ(three["certificate"]["blocks"], 6);
  EXPECT_TRUE(fs::exists(tables / "runs/three/seed-5/checkpoint.safetensors"));
  EXPECT_THAT(read_bytes(tables / "out/small.md"), HasSubstr("3 to 5"));
}

TEST(CliReproduce, CtrlCSavesAndExits130) {
  Tables tables;
  tables.write_table(row("a", "set = [\"training.steps=1000000\"]"));
  Program program(tables.command());
  const fs::path checkpoint = tables / "runs/a/checkpoint.safetensors";
  for (int i = 0; i < 6000 && !fs::exists(checkpoint); ++i) ::usleep(5'000);
  ::kill(program.process(), SIGINT);
  const Ran ran = program.wait();
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("goes on from here"));
  EXPECT_FALSE(fs::exists(tables / "runs/a/result.json"));
}

TEST(CliReproduce, ARowOfAnotherConfigIsRefused) {
  Tables tables;
  tables.write_table(row("a"));
  ASSERT_EQ(run(tables.command()).code, 0);
  tables.write_table(row("a", "set = [\"model.net.growth=8\"]"));
  expect_error(run(tables.command()), 2, {"model.net.growth", "4", "8", "Remove", "runs/a"});
  // What does not change the result may change.
  tables.write_table(row("a", "set = [\"training.log_every=7\"]"));
  EXPECT_EQ(run(tables.command()).code, 0);
}

TEST(CliReproduce, QuickNumbersDoNotStayInAFullReport) {
  Tables tables;
  tables.write_table(row("a") + row("b"));
  const auto only = [](const char* name) { return std::vector<std::string>{"--rows", name}; };
  ASSERT_EQ(run(tables.command("quick") + only("a") + std::vector<std::string>{"--quick"}).code, 0);
  const Ran full = run(tables.command("full") + only("b"));
  ASSERT_EQ(full.code, 0) << full.err;
  EXPECT_EQ(full.json()["rows"].size(), 1U);
}

// -------------------------------------------------------------------------------------- misuse

TEST(CliReproduce, UnknownNamesAreAnsweredWithTheNearest) {
  Tables tables;
  tables.write_table(row("first"));
  const std::string configs = (tables / "configs").string();
  expect_error(run({"reproduce", "smal", "--configs", configs}), 2,
               {"one of small", "Did you mean 'small'?"});
  expect_error(run(tables.command() + std::vector<std::string>{"--rows", "frist"}), 2,
               {"first", "Did you mean 'first'?"});
  expect_error(run({"reproduce", "small", "--configs", (tables / "none").string()}), 2,
               {"--configs", "a folder of tables"});
  const Ran list = run({"reproduce", "--configs", configs});
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("Small"));
}

TEST(CliReproduce, BrokenTablesAreRefusedBeforeAnythingRuns) {
  Tables tables;
  const auto refused = [&](const std::string& rows, int code,
                           const std::vector<std::string>& parts) {
    tables.write_table(rows);
    expect_error(run(tables.command()), code, parts);
    EXPECT_FALSE(fs::exists(tables / "runs"));
  };
  refused(row("a", "papr = 2.0"), 2, {"papr", "paper"});
  refused(row("a", "paper = \"two\""), 2, {"rows", "paper"});
  refused(row("a") + row("a"), 2, {"names that differ", "'a' twice"});
  refused(row("../a"), 2, {"rows.name", "folder"});
  refused("", 2, {"rows", "a value"});
  refused("[[rows]]\nmodel = \"m\"\nconfig = \"run.toml\"\n", 2, {"rows.name", "a value"});
  refused(row("a", "kind = \"densty\""), 2, {"density", "densty"});
  refused(row("a") + row("b", "set = [\"model.net.grwth=3\"]"), 2, {"grwth", "growth"});
  refused(row("a") + "[[rows]]\nname = \"b\"\nmodel = \"m\"\nconfig = \"none.toml\"\n", 1,
          {"none.toml"});
  refused("rows = [", 2, {"table.toml"});
}

TEST(CliReproduce, AReportOfAnotherKindIsNotOverwritten) {
  Tables tables;
  tables.write_table(row("a"));
  fs::create_directories(tables / "out");
  write_bytes(tables / "out/small.json", "{\"mine\": 1}");
  expect_error(run(tables.command()), 2, {"small.json", "--out"});
  EXPECT_EQ(read_bytes(tables / "out/small.json"), "{\"mine\": 1}");
}

TEST(CliReproduce, FoldersAndResultsThatAreNoneAreNamed) {
  Tables tables;
  tables.write_table(row("a"));
  write_bytes(tables / "file", "");
  expect_error(run(tables.command("file")), 1, {"a folder that can be made", "--runs"});
  fs::create_directories(tables / "runs/a");
  write_bytes(tables / "runs/a/result.json", "[]");
  expect_error(run(tables.command()), 2, {"result.json", "Remove it"});
}

TEST(CliReproduce, HelpTeaches) {
  const Ran ran = run({"reproduce", "--help"});
  EXPECT_EQ(ran.code, 0);
  for (const char* text : {"Examples:", "--quick", "table.toml", "checkpoint", "1e-6"}) {
    EXPECT_THAT(ran.out, HasSubstr(text));
  }
}

// ------------------------------------------------------------------------------------- targets

TEST(RegressionTarget, HasTheValuesOfItsFormula) {
  using cli::TargetKind;
  const at::Tensor x = at::tensor({-2.0, -1.05, -1.0, 0.0, 0.5, 2.0}, at::kDouble);
  const at::Tensor steps = at::tensor({0.0, 0.0475, 1.0, 2.0, 2.025, 4.0}, at::kDouble);
  EXPECT_TRUE(at::allclose(cli::target_value(TargetKind::kMultistep, x), steps, 1e-12, 1e-12));
  const at::Tensor slopes = at::tensor({-0.2, -0.105, -0.1, 0.0, 5.0, 20.0}, at::kDouble);
  EXPECT_TRUE(at::allclose(cli::target_value(TargetKind::kTwoSlopes, x), slopes, 1e-12, 1e-12));
  const at::Tensor points = cli::uniform_points(TargetKind::kMultistep, 1000, Rng(0));
  EXPECT_LT(points.min().item<double>(), -1.9);
  EXPECT_GT(points.max().item<double>(), 1.9);
  EXPECT_LE(points.abs().max().item<double>(), 2.0);
}

TEST(RegressionTarget, StratifiedPointsLieOneInEachPart) {
  using cli::TargetKind;
  constexpr int64_t kCount = 1000;
  const at::Tensor points = cli::stratified_points(TargetKind::kMultistep, kCount, Rng(0));
  const at::Tensor part = ((points + 2.0) / 4.0 * static_cast<double>(kCount)).flatten();
  EXPECT_TRUE(at::equal(part.floor(), at::arange(kCount, at::kDouble)));
  const at::Tensor inside = part - part.floor();  // uniform: its mean is 0.5 +- 0.009
  EXPECT_NEAR(inside.mean().item<double>(), 0.5, 0.04);
  EXPECT_NEAR(inside.var().item<double>(), 1.0 / 12.0, 0.01);
}

}  // namespace
}  // namespace contraflow::testing
