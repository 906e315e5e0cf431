#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace contraflow::testing {

/// What a run of the program left.
struct Ran {
  int code = -1;   ///< -1: a signal ended it.
  int signal = 0;  ///< That signal.
  std::string out, err;

  nlohmann::ordered_json json() const {
    const auto value = nlohmann::ordered_json::parse(out, nullptr, false);
    EXPECT_TRUE(value.is_object()) << "stdout is not one JSON object:\n" << out << "\n" << err;
    return value.is_object() ? value : nlohmann::ordered_json::object();
  }
};

/// Where the words of a program go.
enum class Streams {
  kFiles,
  kFull,      ///< Results to a full disk.
  kClosed,    ///< Results to a closed stream.
  kUnread,    ///< Everything to a pipe that nobody reads.
  kTerminal,  ///< Everything but results to a terminal.
};

/// A running contraflow with its words in files.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments, Streams streams = Streams::kFiles) {
    std::vector<std::string> words{CONTRAFLOW_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    if (streams == Streams::kTerminal) open_terminal();
    process_ = ::fork();
    if (process_ == 0) {
      // Who started the tests may ignore it, as a shell does for jobs in the background.
      ::signal(SIGINT, SIG_DFL);
      redirect(folder_ / "out", STDOUT_FILENO);
      redirect(folder_ / "err", STDERR_FILENO);
      if (streams == Streams::kFull) redirect("/dev/full", STDOUT_FILENO);
      if (streams == Streams::kClosed) ::close(STDOUT_FILENO);
      if (streams == Streams::kUnread) break_pipe();
      if (streams == Streams::kTerminal) redirect(::ptsname(terminal_), STDERR_FILENO);
      ::execv(CONTRAFLOW_PROGRAM, argv.data());
      ::_exit(127);
    }
  }

  pid_t process() const { return process_; }

  Ran wait() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0, read_bytes(folder_ / "out"),
            terminal_ >= 0 ? read_terminal() : read_bytes(folder_ / "err")};
  }

  ~Program() {
    if (terminal_ >= 0) ::close(terminal_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

 private:
  static void redirect(const std::filesystem::path& file, int descriptor) {
    const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0600);
    ::dup2(opened, descriptor);
  }

  static void break_pipe() {
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(126);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
  }

  void open_terminal() {
    terminal_ = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal_ < 0 || ::grantpt(terminal_) != 0 || ::unlockpt(terminal_) != 0)
      throw std::runtime_error("no terminal");
  }

  // What fits in its buffer, which is more than the progress of a short command.
  std::string read_terminal() const {
    std::string text;
    char part[4096];
    for (ssize_t count = 0; (count = ::read(terminal_, part, sizeof part)) > 0;)
      text.append(part, static_cast<size_t>(count));
    return text;
  }

  TempFolder folder_;
  pid_t process_ = -1;
  int terminal_ = -1;
};

inline Ran run(const std::vector<std::string>& arguments, Streams streams = Streams::kFiles) {
  return Program(arguments, streams).wait();
}

inline std::vector<std::string> operator+(std::vector<std::string> a,
                                          const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Each key=value after its own --set.
inline std::vector<std::string> settings(const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  for (const std::string& key : keys) out.insert(out.end(), {"--set", key});
  return out;
}

/// A small flow, without the number of steps and the size of batches.
inline std::vector<std::string> small_model() {
  return settings({"model.blocks=2", "model.net.depth=1", "model.net.growth=4",
                   "training.validate_every=2", "training.log_every=1"});
}

/// Settings of a flow that trains in a second.
inline std::vector<std::string> tiny() {
  return small_model() +
         settings({"training.steps=4", "training.batch_size=32", "training.init_rows=64",
                   "training.validation_rows=64", "training.checkpoint_every=2"});
}

/// A run on two continuous columns, trained once for all tests that only read it.
inline const std::filesystem::path& moons_run() {
  static const TempFolder folder;
  static const std::filesystem::path path = [] {
    const std::string out = (folder / "moons").string();
    const Ran ran = run(std::vector<std::string>{"train", "--data", "moons", "--out", out, "--set",
                                                 "data.test_rows=200"} +
                        tiny());
    EXPECT_EQ(ran.code, 0) << ran.err;
    return std::filesystem::path(out);
  }();
  return path;
}

/// The same on the 64 integer columns of the digits.
inline const std::filesystem::path& digits_run() {
  static const TempFolder folder;
  static const std::filesystem::path path = [] {
    const std::string out = (folder / "digits").string();
    const Ran ran = run(std::vector<std::string>{"train", "--data", "digits", "--model",
                                                 "idensenet", "--out", out} +
                        tiny() + std::vector<std::string>{"--set", "model.blocks=1"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return std::filesystem::path(out);
  }();
  return path;
}

/// error: [where] name: expected ..., got ... on stderr, with this exit code.
inline void expect_error(const Ran& ran, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(ran.code, code) << ran.err;
  EXPECT_THAT(ran.err, ::testing::HasSubstr("error: ["));
  EXPECT_THAT(ran.err, ::testing::HasSubstr("expected"));
  for (const std::string& part : parts) EXPECT_THAT(ran.err, ::testing::HasSubstr(part));
}

}  // namespace contraflow::testing
