// "-": rows from the standard input, and to the standard output.
#include <ATen/ATen.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "contraflow/core/error.h"
#include "contraflow/data/rows.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using ::testing::ElementsAre;

// Puts another file in the place of a descriptor until the end of the scope.
class Redirected {
 public:
  Redirected(int descriptor, int other) : descriptor_(descriptor), saved_(::dup(descriptor)) {
    ::dup2(other, descriptor);
  }
  ~Redirected() {
    ::dup2(saved_, descriptor_);
    ::close(saved_);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  int descriptor_;
  int saved_;
};

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(size_t i) {
    if (ends[i] >= 0) ::close(ends[i]);
    ends[i] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

TEST(StandardStreams, RowsComeFromTheInput) {
  Pipe pipe;
  std::thread writer([&] {
    std::string text = "a;b\n";
    for (int i = 0; i < 50000; ++i) text += std::to_string(i) + ",5;" + std::to_string(i) + "\n";
    for (size_t at = 0; at < text.size(); at += 1000) {
      const std::string part = text.substr(at, 1000);
      EXPECT_EQ(::write(pipe.ends[1], part.data(), part.size()), static_cast<ssize_t>(part.size()));
    }
    pipe.close_end(1);
  });
  const Redirected input(STDIN_FILENO, pipe.ends[0]);
  const auto reader = open_rows("-");
  EXPECT_THAT(reader->columns(), ElementsAre("a", "b"));
  EXPECT_EQ(reader->format().decimal, DecimalMark::kComma);
  EXPECT_EQ(reader->fraction_read(), 0.0);
  const at::Tensor rows = read_all(*reader);
  writer.join();
  EXPECT_TRUE(rows.select(1, 0).equal(at::arange(50000, at::kDouble) + 0.5));
}

TEST(StandardStreams, RowsGoToTheOutput) {
  Pipe pipe;
  {
    const Redirected output(STDOUT_FILENO, pipe.ends[1]);
    const auto writer = create_rows("-", {"a"}, at::kDouble, {"id"});
    writer->append(at::tensor({1.5}, at::kDouble).unsqueeze(1), {{"x,y"}});
    writer->finish();
  }
  pipe.close_end(1);
  std::array<char, 100> bytes{};
  const ssize_t count = ::read(pipe.ends[0], bytes.data(), bytes.size());
  EXPECT_EQ(std::string(bytes.data(), static_cast<size_t>(count)), "id,a\n\"x,y\",1.5\n");
}

TEST(StandardStreams, AnOutputThatTakesNothingIsAnError) {
  const at::Tensor rows = at::ones({3, 1}, at::kDouble);
  {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(full, 0);
    const Redirected output(STDOUT_FILENO, full);
    ::close(full);
    expect_error<IoError>([&] { create_rows("-", {"a"}, at::kDouble)->append(rows); },
                          {"standard output", "No space"});
  }
  {
    Pipe pipe;
    const Redirected output(STDOUT_FILENO, pipe.ends[1]);
    pipe.close_end(0);  // nobody reads: without care the process would end here
    expect_error<IoError>([&] { create_rows("-", {"a"}, at::kDouble)->append(rows); },
                          {"standard output", "pipe"});
  }
}

}  // namespace
}  // namespace contraflow::data
