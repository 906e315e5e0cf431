#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kPolls = 6000;
constexpr useconds_t kPause = 5'000;

// Whether `condition` came true within half a minute.
template <class Condition>
bool wait_until(Condition condition) {
  for (int i = 0; i < kPolls && !condition(); ++i) ::usleep(kPause);
  return condition();
}

std::vector<std::string> train_long(const fs::path& out) {
  return std::vector<std::string>{"train", "moons", "--out", out.string()} + tiny() +
         std::vector<std::string>{"--set", "training.steps=1000000"};
}

bool has_temporary_file(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".tmp") return true;
  }
  return false;
}

struct Signal {
  const char* name;
  int number;
};

class CliSignal : public ::testing::TestWithParam<Signal> {};

TEST_P(CliSignal, SavesATrainingAndSaysWhichItWas) {
  const TempFolder folder;
  const fs::path out = folder / "run";
  Program program(train_long(out) + std::vector<std::string>{"--json"});
  ASSERT_TRUE(wait_until([&] { return fs::exists(out / "checkpoint.safetensors"); }));
  ::kill(program.process(), GetParam().number);
  const Ran ran = program.wait();
  EXPECT_EQ(ran.code, 128 + GetParam().number) << ran.err;
  const auto json = ran.json();
  EXPECT_EQ(json["status"], "interrupted");
  EXPECT_EQ(json["signal"], GetParam().name);
  EXPECT_EQ(run({"info", out.string(), "--json"}).json()["step"], json["step"]);
}

TEST_P(CliSignal, TakesTheTemporaryFilesOfACommandWithIt) {
  const TempFolder folder;
  std::string rows = "x0,x1\n";
  for (int i = 0; i < 1'000'000; ++i) rows += "0.5,-0.25\n";
  write_bytes(folder / "in.csv", rows);
  Program program({"score", moons_run().string(), (folder / "in.csv").string(), "-o",
                   (folder / "out.csv").string()});
  ASSERT_TRUE(wait_until([&] { return has_temporary_file(folder.path()); }));
  ::kill(program.process(), GetParam().number);
  EXPECT_EQ(program.wait().signal, GetParam().number);
  EXPECT_EQ(folder.count(), 1) << "something was left beside the input";
}

INSTANTIATE_TEST_SUITE_P(All, CliSignal,
                         ::testing::Values(Signal{"SIGINT", SIGINT}, Signal{"SIGTERM", SIGTERM},
                                           Signal{"SIGHUP", SIGHUP}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(CliSignals, TheSecondOneEndsAtOnceAndNothingHalfMadeStays) {
  const TempFolder folder;
  const fs::path out = folder / "run";
  // Steps that are long enough for two signals.
  Program program(train_long(out) + std::vector<std::string>{"--set", "training.batch_size=50000",
                                                             "--set",
                                                             "training.checkpoint_every=1000000"});
  ASSERT_TRUE(wait_until([&] {
    std::error_code ignored;
    return fs::exists(out / "metrics.jsonl") && fs::file_size(out / "metrics.jsonl", ignored) > 0;
  }));
  ::kill(program.process(), SIGTERM);
  ::kill(program.process(), SIGINT);
  const Ran ran = program.wait();
  EXPECT_NE(ran.signal, 0) << ran.err;
  EXPECT_FALSE(fs::exists(out));
}

TEST(CliSignals, ThatTheStarterIgnoresStayIgnored) {
  const TempFolder folder;
  const fs::path out = folder / "run";
  ::signal(SIGHUP, SIG_IGN);  // as nohup does
  Program program(train_long(out));
  ::signal(SIGHUP, SIG_DFL);
  ASSERT_TRUE(wait_until([&] { return fs::exists(out / "checkpoint.safetensors"); }));
  ::kill(program.process(), SIGHUP);
  const auto before = fs::last_write_time(out / "checkpoint.safetensors");
  EXPECT_TRUE(
      wait_until([&] { return fs::last_write_time(out / "checkpoint.safetensors") > before; }));
  ::kill(program.process(), SIGTERM);
  EXPECT_EQ(program.wait().code, 128 + SIGTERM);
}

TEST(CliStreams, AResultThatCannotBeWrittenIsAnError) {
  for (const char* flag : {"--json", "--threads=1"}) {
    const Ran full = run({"evaluate", moons_run().string(), "--rows", "5", flag}, Streams::kFull);
    expect_error(full, 1, {"standard output", "No space left"});
    expect_error(run({"evaluate", moons_run().string(), "--rows", "5", flag}, Streams::kClosed), 1,
                 {"standard output"});
  }
  expect_error(run({"--help"}, Streams::kFull), 1, {"standard output"});
}

TEST(CliStreams, AClosedStreamGivesItsNumberToNoFile) {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const std::vector<std::string> train{"train", "moons", "--out", out.string()};
  // The run's lock is open to the end, and would be the stream that results go to.
  expect_error(run(train + tiny(), Streams::kClosed), 1, {"standard output"});
  EXPECT_EQ(read_bytes(out / "lock"), "");
  EXPECT_EQ(run({"info", out.string(), "--json"}).json()["step"], 4);
}

TEST(CliStreams, ATrainingOutlivesItsReader) {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const Ran ran = run(std::vector<std::string>{"train", "moons", "--out", out.string()} + tiny(),
                      Streams::kUnread);
  EXPECT_EQ(ran.signal, 0);
  EXPECT_EQ(ran.code, 1) << "the result was not written";
  EXPECT_EQ(run({"info", out.string(), "--json"}).json()["step"], 4);
}

TEST(CliProgress, LongCommandsTellRowsAndTimeLeft) {
  const TempFolder folder;
  const std::string model = (folder / "rings").string();
  ASSERT_EQ(run(std::vector<std::string>{"train", "rings", "--out", model, "--set",
                                         "data.test_rows=1000000"} +
                tiny())
                .code,
            0);
  struct Command {
    const char* verb;
    std::vector<std::string> words;
  };
  const std::vector<Command> commands{
      {"certifying", {"certify", model, "--rows", "20000"}},
      {"comparing", {"compare", model, model}},
      {"drawing", {"plot", model, "--out", (folder / "pictures").string()}}};
  for (const auto& [verb, words] : commands) {
    const Ran ran = run(words, Streams::kTerminal);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(verb));
    EXPECT_THAT(ran.err, HasSubstr(" left"));
    EXPECT_THAT(ran.err, ::testing::EndsWith("\r\x1b[K"));  // nothing stays on the screen
  }
}

}  // namespace
}  // namespace contraflow::testing
