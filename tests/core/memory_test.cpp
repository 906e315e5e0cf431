// Memory that runs out: one error, with what was computed and what to change.
#include "contraflow/core/memory.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using ::testing::HasSubstr;

const MemoryUse kUse{"evaluate", "71 images [3, 32, 32]", "Lower --batch."};

TEST(Memory, AnErrorNamesBatchAndRemedy) {
  const auto work = [] { throw std::bad_alloc(); };
  const std::string text = testing::error_of<MemoryError>([&] { with_memory(kUse, work); });
  EXPECT_THAT(text, HasSubstr("[evaluate] memory: expected room for a batch of 71 images"));
  EXPECT_THAT(text, HasSubstr("[3, 32, 32], got none. Lower --batch."));
}

TEST(Memory, LibTorchSaysHowMuchItAskedFor) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer ends the program at such a size";
#endif
  // Half of what addresses reach: no system has so much.
  const auto work = [] { at::empty({int64_t{1} << 44}, at::kDouble); };
  const std::string text = testing::error_of<MemoryError>([&] { with_memory(kUse, work); });
  EXPECT_THAT(text, HasSubstr("none for 128.0 TiB more"));
}

TEST(Memory, OtherErrorsPass) {
  const auto torch = [] { at::zeros({2, 3}).matmul(at::zeros({2, 3})); };
  EXPECT_THROW(with_memory(kUse, torch), c10::Error);
  EXPECT_THROW(with_memory(kUse, [] { throw std::runtime_error("another"); }), std::runtime_error);
  const auto own = [] { fail<IoError>("a", "b", "c", "not enough memory", "d."); };
  EXPECT_THROW(with_memory(kUse, own), IoError);
  EXPECT_TRUE(is_out_of_memory(std::bad_alloc()));
  EXPECT_FALSE(is_out_of_memory(std::runtime_error("not enough memory")));
}

TEST(Memory, WorkIsDone) {
  int done = 0;
  with_memory(kUse, [&] { ++done; });
  EXPECT_EQ(done, 1);
}

TEST(Memory, TheSystemTellsWhatIsLeft) {
  const auto left = available_memory();
  ASSERT_TRUE(left.has_value());
  EXPECT_GT(*left, int64_t{1} << 20);
  EXPECT_LT(*left, int64_t{1} << 50);
}

}  // namespace
}  // namespace contraflow
