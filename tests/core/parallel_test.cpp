#include "contraflow/core/parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "contraflow/core/log.h"
#include "contraflow/core/thread_choice.h"

namespace contraflow {
namespace {

class ThreadCount {
 public:
  explicit ThreadCount(int threads) { at::set_num_threads(threads); }
  ~ThreadCount() { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

double seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// As if shared regions had just been slow and the caller alone fast: it works alone for the next
// tenth of a second.
void measure_busy_cores() {
  ThreadChoice& choice = thread_choice();
  choice = ThreadChoice();
  for (int i = 0; i < 4; ++i) choice.report(seconds(), 0.9 * ThreadChoice::kLongRegion, 0.001);
  for (int i = 0; i < 4; ++i) choice.report(seconds(), 0.01, 0.009);
}

class RestoredChoice {
 public:
  ~RestoredChoice() { thread_choice() = ThreadChoice(); }
};

std::set<std::thread::id> threads_of_items() {
  std::set<std::thread::id> ids;
  std::mutex mutex;
  std::atomic<int> arrived{0};
  parallel_items(100, [&](int64_t) {
    ++arrived;
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(arrived.load(), 100);
  return ids;
}

TEST(ParallelFor, VisitsEveryIndexOnce) {
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    for (const int64_t count : {0, 1, 9, 10, 11, 1000}) {
      std::vector<int> visits(static_cast<size_t>(count));
      parallel_for(5, 5 + count, 10, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i - 5)];
      });
      for (const int n : visits) EXPECT_EQ(n, 1);
    }
  }
}

TEST(ParallelFor, UsesTheThreadsThereAre) {
  if (!parallel_for_has_threads()) GTEST_SKIP() << "built without OpenMP";
  const ThreadCount scope(2);
  thread_choice() = ThreadChoice();  // whatever the tests before measured
  std::set<std::thread::id> ids;
  std::mutex mutex;
  parallel_for(0, 1000, 10, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids.size(), 2U);
}

TEST(ParallelFor, PassesOnWhatTheBodyThrows) {
  const ThreadCount scope(2);
  EXPECT_THROW(parallel_for(0, 1000, 10,
                            [](int64_t, int64_t end) {
                              if (end == 1000) throw std::runtime_error("last");
                            }),
               std::runtime_error);
}

TEST(ParallelItems, VisitsEveryIndexOnce) {
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    for (const int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
      parallel_items(count, [&](int64_t i) { ++visits[static_cast<size_t>(i)]; });
      for (const auto& n : visits) EXPECT_EQ(n.load(), 1);
    }
  }
}

TEST(ParallelItems, PassesOnWhatTheBodyThrows) {
  const ThreadCount scope(2);
  const auto body = [](int64_t i) {
    if (i == 5) throw std::runtime_error("item 5");
  };
  EXPECT_THROW(parallel_items(10, body), std::runtime_error);
}

TEST(Parallel, TheCallerWorksAloneWhereTheCoresAreBusy) {
  const ThreadCount scope(2);
  const RestoredChoice restored;
  measure_busy_cores();
  EXPECT_EQ(threads_of_items(), std::set{std::this_thread::get_id()});
  measure_busy_cores();
  int64_t at = 5;  // the ranges come in order and leave none out
  parallel_for(5, 1005, 10, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(begin, at);
    EXPECT_GE(end - begin, 10);
    at = end;
  });
  EXPECT_EQ(at, 1005);
}

TEST(Parallel, ALongRegionIsSharedFromWhereTheCallerIs) {
  if (!parallel_for_has_threads()) GTEST_SKIP() << "built without OpenMP";
  const ThreadCount scope(2);
  const RestoredChoice restored;
  measure_busy_cores();
  std::vector<std::atomic<int>> visits(40);
  std::set<std::thread::id> ids;
  std::mutex mutex;
  parallel_items(std::ssize(visits), [&](int64_t i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ++visits[static_cast<size_t>(i)];
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  for (const auto& n : visits) EXPECT_EQ(n.load(), 1);
  EXPECT_EQ(ids.size(), 2U);
}

TEST(Parallel, OneThreadWithinARegionSharedOrAlone) {
  const ThreadCount scope(2);
  const RestoredChoice restored;
  for (const bool busy : {false, true}) {
    thread_choice() = ThreadChoice();
    if (busy) measure_busy_cores();
    std::atomic<int64_t> visits{0}, ranges{0};
    parallel_items(4, [&](int64_t) {
      const auto outer = std::this_thread::get_id();
      parallel_for(0, 100, 1, [&](int64_t begin, int64_t end) {
        EXPECT_EQ(std::this_thread::get_id(), outer);
        visits += end - begin;
        ++ranges;
      });
      if (busy) {
        EXPECT_EQ(at::get_num_threads(), 1);
      }
    });
    EXPECT_EQ(visits.load(), 400);
    EXPECT_EQ(ranges.load(), 4);
    EXPECT_EQ(at::get_num_threads(), 2);
  }
}

TEST(Parallel, ThrowsAndIsUsableAfterwardsWhereTheCallerIsAlone) {
  const ThreadCount scope(2);
  const RestoredChoice restored;
  measure_busy_cores();
  EXPECT_THROW(parallel_items(10, [](int64_t) { throw std::runtime_error("item"); }),
               std::runtime_error);
  EXPECT_EQ(at::get_num_threads(), 2);
  thread_choice() = ThreadChoice();
  if (parallel_for_has_threads()) {
    std::atomic<int> together{0};
    parallel_items(2, [&](int64_t) {  // ends only if two threads are in it
      ++together;
      while (together < 2) std::this_thread::yield();
    });
  }
}

TEST(Parallel, AChildProcessDoesNotWaitForItsParentsThreads) {
  const ThreadCount scope(2);
  thread_choice() = ThreadChoice();
  threads_of_items();
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a child that waits is killed by it
    std::atomic<int64_t> sum{0};
    parallel_items(100, [&](int64_t i) { sum += i; });
    parallel_for(0, 1000, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    _exit(sum == 4950 + 1000 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(SetThreads, WarnsOnceForMoreThreadsThanCores) {
  const ThreadCount scope(at::get_num_threads());
  std::vector<std::string> lines;
  const ScopedLogSink sink([&](LogLevel, std::string_view text) { lines.emplace_back(text); });
  set_threads("test", cores());
  EXPECT_TRUE(lines.empty());
  const int many = cores() + 5;
  set_threads("test", many);
  set_threads("test", 0);  // keeps the number
  EXPECT_EQ(at::get_num_threads(), many);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0], "[test] threads: expected at most " + std::to_string(cores()) +
                          ", the cores that this process may use, got " + std::to_string(many) +
                          ". Threads that share a core wait for each other; use threads = " +
                          std::to_string(cores()) + ".");
}

}  // namespace
}  // namespace contraflow
