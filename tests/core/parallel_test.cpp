#include "contraflow/core/parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace contraflow {
namespace {

class ThreadCount {
 public:
  explicit ThreadCount(int threads) { at::set_num_threads(threads); }
  ~ThreadCount() { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

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

}  // namespace
}  // namespace contraflow
