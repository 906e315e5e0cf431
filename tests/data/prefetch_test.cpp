#include "contraflow/data/prefetch.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "contraflow/core/error.h"
#include "contraflow/data/shard.h"
#include "contraflow/data/sources.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using namespace std::chrono_literals;

// Counts its reads; may wait in them and fail at one step.
class Slow final : public Source {
 public:
  std::optional<int64_t> size() const override { return std::nullopt; }
  std::vector<int64_t> event_shape() const override { return {1}; }
  std::string name() const override { return "slow"; }

  mutable std::atomic<int64_t> reads{0}, last_step{-1};
  std::atomic<int64_t> bad_step{-1};
  std::chrono::milliseconds pause{0};

 private:
  Batch do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const override {
    ++reads;
    last_step = step;
    std::this_thread::sleep_for(pause);
    if (step == bad_step) fail<IoError>("slow", "step", "another", std::to_string(step), "None.");
    return do_rows(step * batch_size + begin, step * batch_size + end);
  }
  Batch do_rows(int64_t begin, int64_t end) const override {
    return {.x = at::arange(begin, end, at::kDouble).unsqueeze(1), .first_row = begin};
  }
};

// Waits for what another thread is to do; false after ten seconds.
bool soon(const std::function<bool()>& done) {
  for (int k = 0; k < 2000 && !done(); ++k) std::this_thread::sleep_for(5ms);
  return done();
}

TEST(Prefetch, BatchesAreThoseOfTheSource) {
  const at::Tensor r = at::arange(37, at::kDouble);
  const auto rows =
      std::make_shared<TensorSource>("rows", r.unsqueeze(1), r.unsqueeze(1), r, Rng(1));
  const auto toy = std::make_shared<ToySource>("moons", Rng(2), at::kFloat);
  for (const SourcePtr& source : {SourcePtr(rows), SourcePtr(toy), shard(rows, 1, 2)}) {
    const SourcePtr ahead = prefetch(source, 3);
    // In order, a jump, again the same, another batch size.
    for (const int64_t step : {0, 1, 2, 3, 40, 41, 41, 2, 3, 4}) {
      for (const int64_t size : {8, 5}) {
        const Batch expected = source->batch(step, size), got = ahead->batch(step, size);
        EXPECT_TRUE(got.x.equal(expected.x)) << step;
        EXPECT_EQ(got.first_row, expected.first_row);
        EXPECT_EQ(got.weight.defined(), expected.weight.defined());
        if (!got.weight.defined()) continue;
        EXPECT_TRUE(got.weight.equal(expected.weight));
      }
    }
    for (int64_t step = 0; step < 60; ++step) {
      EXPECT_TRUE(ahead->batch(step, 8).x.equal(source->batch(step, 8).x)) << step;
    }
    EXPECT_TRUE(ahead->batch(3, 8, 1, 3).x.equal(source->batch(3, 8, 1, 3).x));
    EXPECT_TRUE(ahead->rows(2, 9).x.equal(source->rows(2, 9).x));
    EXPECT_EQ(ahead->size(), source->size());
    EXPECT_EQ(ahead->batch_rows(100), source->batch_rows(100));
  }
}

TEST(Prefetch, ReadsAheadAndNoFurther) {
  const auto slow = std::make_shared<Slow>();
  const SourcePtr ahead = prefetch(slow, 3);
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(slow->reads, 0) << "nothing is read before the first batch is asked for";
  ahead->batch(7, 4);
  EXPECT_TRUE(soon([&] { return slow->last_step == 10; }));
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(slow->reads, 4);
  ahead->batch(8, 4);
  EXPECT_TRUE(soon([&] { return slow->reads == 5; }));
  EXPECT_EQ(slow->last_step, 11) << "each batch is read once";
}

TEST(Prefetch, ErrorsComeWithTheirStep) {
  const auto slow = std::make_shared<Slow>();
  slow->bad_step = 2;
  const SourcePtr ahead = prefetch(slow, 4);
  EXPECT_EQ(ahead->batch(0, 4).first_row, 0);
  EXPECT_TRUE(soon([&] { return slow->last_step == 2; }));
  EXPECT_EQ(ahead->batch(1, 4).first_row, 4) << "not before its step";
  for (int k = 0; k < 2; ++k) {
    expect_error<IoError>([&] { ahead->batch(2, 4); }, {"[slow] step"});
  }
  EXPECT_EQ(ahead->batch(3, 4).first_row, 12) << "other steps can be read";
  slow->bad_step = -1;
  EXPECT_EQ(ahead->batch(2, 4).first_row, 8);
  expect_error<ShapeError>([&] { ahead->batch(-1, 4); }, {"step"});
  expect_error<ConfigError>([&] { prefetch(slow, 0); }, {"ahead", "0"});
}

TEST(Prefetch, StopsAfterTheReadInProgress) {
  const auto slow = std::make_shared<Slow>();
  slow->pause = 30ms;
  for (int k = 0; k < 3; ++k) {
    SourcePtr ahead = prefetch(slow, 1000);
    ahead->batch(0, 4);
    const int64_t before = slow->reads;
    ahead = nullptr;
    EXPECT_LE(slow->reads, before + 2);
    const int64_t after = slow->reads;
    std::this_thread::sleep_for(60ms);
    EXPECT_EQ(slow->reads, after) << "nothing is read after the end";
  }
  prefetch(slow, 2).reset();  // never used
}

TEST(Prefetch, ThreadsMayAskForDifferentSteps) {
  const auto source = std::make_shared<ToySource>("moons", Rng(2), at::kDouble);
  const SourcePtr ahead = prefetch(source, 2);
  std::atomic<int64_t> wrong{0};
  const auto ask = [&](int64_t first) {
    for (int64_t step = first; step < first + 200; ++step) {
      if (!ahead->batch(step, 6).x.equal(source->batch(step, 6).x)) ++wrong;
    }
  };
  std::thread a(ask, 0), b(ask, 100), c(ask, 0);
  a.join();
  b.join();
  c.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace contraflow::data
