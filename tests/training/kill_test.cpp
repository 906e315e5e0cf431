#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <sstream>

#include "contraflow/training/checkpoint.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::read_bytes;
using testing::TempFolder;

/// The training program of kill_program.cpp as a child process.
class Child {
 public:
  explicit Child(const std::filesystem::path& folder) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::execl(CONTRAFLOW_KILL_PROGRAM, CONTRAFLOW_KILL_PROGRAM, folder.c_str(),
              static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() { ::close(pipe_); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Waits for that many steps; false if the run ended before.
  bool wait_for_steps(int count) {
    char byte;
    for (int i = 0; i < count; ++i) {
      if (::read(pipe_, &byte, 1) != 1) return false;
    }
    return true;
  }
  void kill() { ::kill(pid_, SIGKILL); }
  /// The status of waitpid().
  int finish() {
    while (wait_for_steps(1)) {
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return status;
  }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
};

std::vector<int64_t> logged_steps(const std::filesystem::path& folder) {
  std::istringstream in(read_bytes(folder / "metrics.jsonl"));
  std::vector<int64_t> steps;
  for (std::string line; std::getline(in, line);)
    steps.push_back(nlohmann::json::parse(line)["step"]);
  return steps;
}

TEST(Kill, TenKillsAtRandomMomentsChangeNothing) {
  const TempFolder temporary;
  const std::filesystem::path whole = temporary.path() / "whole",
                              killed = temporary.path() / "killed";
  ASSERT_EQ(Child(whole).finish(), 0);

  const char* given = std::getenv("CONTRAFLOW_KILL_SEED");  // else other moments in every run
  const auto seed = given ? static_cast<uint32_t>(std::stoul(given)) : std::random_device{}();
  SCOPED_TRACE("to kill at the same counts of steps, set CONTRAFLOW_KILL_SEED=" +
               std::to_string(seed));
  std::mt19937 random(seed);
  int64_t previous = 0;
  for (int kills = 0; kills < 10; ++kills) {
    Child child(killed);
    ASSERT_TRUE(child.wait_for_steps(1 + static_cast<int>(random() % 30)));
    ::usleep(random() % 3000);  // anywhere within a step or a save
    child.kill();
    EXPECT_TRUE(WIFSIGNALED(child.finish()));
    if (!std::filesystem::exists(killed / "checkpoint.safetensors")) continue;
    const Checkpoint saved =
        load_checkpoint(killed / "checkpoint.safetensors");  // throws if unreadable
    EXPECT_GE(saved.counters.step, previous);
    previous = saved.counters.step;
  }
  EXPECT_GT(previous, 0);
  EXPECT_LT(previous, 400);
  ASSERT_EQ(Child(killed).finish(), 0);
  EXPECT_EQ(read_bytes(killed / "checkpoint.safetensors"),
            read_bytes(whole / "checkpoint.safetensors"));
  std::vector<int64_t> every(400);
  std::iota(every.begin(), every.end(), 1);
  EXPECT_EQ(logged_steps(killed), every);
  for (const auto& entry : std::filesystem::directory_iterator(killed)) {
    EXPECT_NE(entry.path().extension(), ".tmp");
  }
}

}  // namespace
}  // namespace contraflow
