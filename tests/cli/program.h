#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace contraflow::testing {

/// What a run of the program left.
struct Ran {
  int code = -1;
  std::string out, err;

  nlohmann::ordered_json json() const {
    const auto value = nlohmann::ordered_json::parse(out, nullptr, false);
    EXPECT_TRUE(value.is_object()) << "stdout is not one JSON object:\n" << out << "\n" << err;
    return value.is_object() ? value : nlohmann::ordered_json::object();
  }
};

/// A running contraflow with its words in files.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments) {
    std::vector<std::string> words{CONTRAFLOW_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      redirect(folder_ / "out", STDOUT_FILENO);
      redirect(folder_ / "err", STDERR_FILENO);
      ::execv(CONTRAFLOW_PROGRAM, argv.data());
      ::_exit(127);
    }
  }

  pid_t process() const { return process_; }

  Ran wait() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_bytes(folder_ / "out"),
            read_bytes(folder_ / "err")};
  }

 private:
  static void redirect(const std::filesystem::path& file, int descriptor) {
    const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(opened, descriptor);
  }

  TempFolder folder_;
  pid_t process_ = -1;
};

inline Ran run(const std::vector<std::string>& arguments) { return Program(arguments).wait(); }

inline std::vector<std::string> operator+(std::vector<std::string> a,
                                          const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Settings of a flow that trains in a second.
inline std::vector<std::string> tiny() {
  std::vector<std::string> out;
  for (const char* set :
       {"model.blocks=2", "model.net.depth=1", "model.net.growth=4", "training.steps=4",
        "training.batch_size=32", "training.init_rows=64", "training.validate_every=2",
        "training.validation_rows=64", "training.checkpoint_every=2", "training.log_every=1"}) {
    out.insert(out.end(), {"--set", set});
  }
  return out;
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
