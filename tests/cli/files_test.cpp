#include <algorithm>

#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

int64_t lines_of(const fs::path& path) {
  const std::string text = read_bytes(path);
  return std::count(text.begin(), text.end(), '\n');
}

Ran score(const fs::path& input, const fs::path& output,
          const std::vector<std::string>& more = {}) {
  return run(std::vector<std::string>{"score", moons_run().string(), input.string(), "-o",
                                      output.string()} +
             more);
}

TEST(CliScore, OneRowPerRowWithExactScores) {
  TempFolder folder;
  write_bytes(folder / "in.csv", "x1,other,x0\n0.5,text,1\n-0.25,text,0\n");
  const Ran ran = score(folder / "in.csv", folder / "out.csv", {"--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["rows"], 2);
  EXPECT_EQ(ran.json()["worst_standard_error"], 0.0);
  const std::string text = read_bytes(folder / "out.csv");
  EXPECT_THAT(text, ::testing::StartsWith("log_prob,standard_error\n"));
  EXPECT_EQ(lines_of(folder / "out.csv"), 3);
  // Columns go by name: the same rows in another order of columns have the same scores.
  write_bytes(folder / "swapped.csv", "x0,x1\n1,0.5\n0,-0.25\n");
  ASSERT_EQ(score(folder / "swapped.csv", folder / "out2.csv").code, 0);
  EXPECT_EQ(read_bytes(folder / "out2.csv"), text);
}

TEST(CliScore, ColumnsByPositionAndByChoice) {
  TempFolder folder;
  write_bytes(folder / "plain.csv", "1,0.5\n0,-0.25\n");
  write_bytes(folder / "named.csv", "u,v,w\n9,1,0.5\n9,0,-0.25\n");
  ASSERT_EQ(score(folder / "plain.csv", folder / "a.csv").code, 0);
  ASSERT_EQ(score(folder / "named.csv", folder / "b.csv", {"--columns", "v,w"}).code, 0);
  EXPECT_EQ(read_bytes(folder / "a.csv"), read_bytes(folder / "b.csv"));
  ASSERT_EQ(score(folder / "plain.csv", folder / "c.npy").code, 0);
  EXPECT_THAT(read_bytes(folder / "c.npy"), ::testing::StartsWith("\x93NUMPY"));
}

TEST(CliScore, ChunksDoNotChangeScores) {
  TempFolder folder;
  std::string text = "x0,x1\n";
  const int64_t rows = 16'390;  // a little more than one chunk
  for (int64_t i = 0; i < rows; ++i) text += "0.5,-0.25\n";
  write_bytes(folder / "in.csv", text);
  ASSERT_EQ(score(folder / "in.csv", folder / "out.csv").code, 0);
  EXPECT_EQ(lines_of(folder / "out.csv"), rows + 1);
}

TEST(CliScore, OneRowIsEnough) {
  TempFolder folder;
  write_bytes(folder / "in.csv", "x0,x1\n1,0.5\n");
  EXPECT_EQ(score(folder / "in.csv", folder / "out.csv").code, 0);
}

TEST(CliScore, RandomScoresCarryTheirError) {
  TempFolder folder;
  const fs::path out = folder / "out.csv";
  const Ran ran = run({"score", digits_run().string(), "--split", "validation", "-o", out.string(),
                       "--replicates", "2", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["rows"], 144);
  EXPECT_GT(ran.json()["worst_standard_error"].get<double>(), 0.0);
}

struct BadRows {
  const char* name;
  std::string text;
  int code;
  std::vector<std::string> parts;
};

class CliBadRows : public ::testing::TestWithParam<BadRows> {};

TEST_P(CliBadRows, NameTheirPlaceAndLeaveNoFile) {
  TempFolder folder;
  write_bytes(folder / "in.csv", GetParam().text);
  expect_error(score(folder / "in.csv", folder / "out.csv"), GetParam().code, GetParam().parts);
  EXPECT_EQ(folder.count(), 1) << "something was left beside the input";
}

INSTANTIATE_TEST_SUITE_P(
    All, CliBadRows,
    ::testing::Values(BadRows{"TooFewColumns", "1\n2\n", 2, {"2 columns", "--columns"}},
                      BadRows{"OtherNames", "a,b\n1,2\n", 2, {"x0"}},
                      BadRows{"NoRows", "x0,x1\n", 1, {"in.csv"}}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(CliScore, IntegersOutOfRangeHaveNoDensityAndAreCounted) {
  TempFolder folder;
  std::string rest;
  for (int i = 1; i < 64; ++i) rest += ",0";
  write_bytes(folder / "in.csv", "17" + rest + "\n16" + rest + "\n");
  const Ran ran = run({"score", digits_run().string(), (folder / "in.csv").string(), "-o",
                       (folder / "out.csv").string(), "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["flagged"]["outside"], 1);
  EXPECT_THAT(read_bytes(folder / "out.csv"), HasSubstr("\n-inf,0\n"));
}

TEST(CliScore, RowsThatCannotBeReadAreCountedWithTheirReason) {
  TempFolder folder;
  write_bytes(folder / "in.csv", "x0,x1\n1,2\nnan,2\n1,two\n1,2,3\n0.5,0\n");
  const Ran ran = score(folder / "in.csv", folder / "out.csv", {"--flags", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["rows"], 5);
  EXPECT_EQ(ran.json()["flagged"]["missing"], 3);
  const std::string reasons = ran.json()["flagged_examples"].dump();
  for (const char* part : {"row 1", "'x0'", "row 2", "two", "row 3"}) {
    EXPECT_THAT(reasons, HasSubstr(part));
  }
  EXPECT_THAT(read_bytes(folder / "out.csv"),
              HasSubstr("\nmissing,,\nmissing,,\nmissing,,\nscored,"));
}

TEST(CliScore, TheInputIsNotOverwritten) {
  TempFolder folder;
  write_bytes(folder / "in.csv", "x0,x1\n1,2\n");
  expect_error(score(folder / "in.csv", folder / "in.csv"), 2, {"another file than INPUT"});
  EXPECT_EQ(read_bytes(folder / "in.csv"), "x0,x1\n1,2\n");
}

TEST(CliScore, FilesThatAreNotThere) {
  TempFolder folder;
  expect_error(score(folder / "none.csv", folder / "out.csv"), 1, {"none.csv"});
  write_bytes(folder / "in.csv", "x0,x1\n1,2\n");
  expect_error(score(folder / "in.csv", folder / "no" / "such" / "out.csv"), 1, {"out.csv"});
  expect_error(score(folder / "in.csv", folder / "out.xyz"), 2, {".csv"});
  expect_error(run({"score", moons_run().string(), "-o", (folder / "o.csv").string()}), 2,
               {"--split"});
}

// ------------------------------------------------------------------------------- checkpoints

TEST(CliCheckpoint, NeedsNothingButItself) {
  TempFolder folder;
  const fs::path copy = folder / "model.safetensors";
  fs::copy_file(moons_run() / "checkpoint.safetensors", copy);
  EXPECT_EQ(run({"info", copy.string()}).code, 0);
  EXPECT_EQ(run({"evaluate", copy.string(), "--rows", "10"}).code, 0);
}

TEST(CliCheckpoint, TruncatedOrForeignFilesAreErrors) {
  TempFolder folder;
  const std::string bytes = read_bytes(moons_run() / "checkpoint.safetensors");
  const fs::path file = folder / "m.safetensors";
  write_bytes(file, bytes.substr(0, bytes.size() / 2));
  expect_error(run({"evaluate", file.string()}), 1, {"m.safetensors"});
  write_bytes(file, "not a checkpoint at all");
  expect_error(run({"certify", file.string()}), 1, {"m.safetensors"});
  write_bytes(file, "");
  expect_error(run({"info", file.string()}), 1, {"m.safetensors"});
  fs::create_directory(folder / "empty");
  expect_error(run({"info", (folder / "empty").string()}), 1, {"checkpoint.safetensors"});
}

TEST(CliCheckpoint, OfAnotherModelIsAnErrorOnResume) {
  TempFolder folder;
  const std::string out = (folder / "run").string();
  ASSERT_EQ(run(std::vector<std::string>{"train", "--data", "moons", "--out", out} + tiny()).code,
            0);
  fs::copy_file(digits_run() / "checkpoint.safetensors", folder / "run" / "checkpoint.safetensors",
                fs::copy_options::overwrite_existing);
  expect_error(run({"train", "--out", out, "--resume"}), 2, {"resume", "data.name"});
}

}  // namespace
}  // namespace contraflow::testing
