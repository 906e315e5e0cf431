#include "contraflow/core/leftovers.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "contraflow/core/file.h"
#include "tests/support/temp_folder.h"

namespace contraflow {
namespace {

namespace fs = std::filesystem;
using testing::read_bytes;
using testing::TempFolder;
using testing::write_bytes;

TEST(Leftovers, FilesAndThenTheirFolderGo) {
  const TempFolder folder;
  const fs::path run = folder / "run";
  fs::create_directory(run);
  write_bytes(run / "a", "1");
  write_bytes(run / "b", "2");
  // The folder is named first, and one of its files by others who are asked later.
  const Leftovers first({run / "a"}), second({run, run / "b", run / "none"});
  remove_leftovers();
  EXPECT_FALSE(fs::exists(run));
}

TEST(Leftovers, AFolderWithSomethingElseStays) {
  const TempFolder folder;
  write_bytes(folder / "mine", "1");
  const Leftovers leftovers({folder.path()});
  remove_leftovers();
  EXPECT_TRUE(fs::exists(folder / "mine"));
}

TEST(Leftovers, WhatIsKeptByAFileStays) {
  const TempFolder folder;
  write_bytes(folder / "config", "1");
  write_bytes(folder / "checkpoint", "2");
  const Leftovers leftovers({folder / "config"}, folder / "checkpoint");
  remove_leftovers();
  EXPECT_TRUE(fs::exists(folder / "config"));
  fs::remove(folder / "checkpoint");
  const Leftovers again({folder / "config"}, folder / "checkpoint");
  remove_leftovers();
  EXPECT_FALSE(fs::exists(folder / "config"));
}

TEST(Leftovers, WhatIsForgottenStays) {
  const TempFolder folder;
  write_bytes(folder / "a", "1");
  { const Leftovers leftovers({folder / "a"}); }
  // The slot has another owner now, which the first one's end must not touch.
  std::optional<Leftovers> first(std::in_place, std::vector{folder / "none"});
  remove_leftovers();
  write_bytes(folder / "b", "2");
  const Leftovers second({folder / "b"});
  first.reset();
  EXPECT_TRUE(fs::exists(folder / "a"));
  remove_leftovers();
  EXPECT_FALSE(fs::exists(folder / "b"));
}

TEST(Leftovers, TheTemporaryFileOfAnAtomicFileGoes) {
  const TempFolder folder;
  write_bytes(folder / "scores.csv", "old");
  AtomicFile file(folder / "scores.csv");
  file.write("new");
  ASSERT_EQ(folder.count(), 2);
  remove_leftovers();
  EXPECT_EQ(folder.count(), 1);
  EXPECT_EQ(read_bytes(folder / "scores.csv"), "old");
}

// A signal at any moment of many temporary files, from before the first one on.
TEST(Leftovers, NoMomentLeavesATemporaryFile) {
  constexpr int kSignals = 40;
  const TempFolder folder;
  for (int k = 0; k < kSignals; ++k) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGTERM, [](int) {
        remove_leftovers();
        ::_exit(0);
      });
      while (true) const AtomicFile file(folder / "scores.csv");
    }
    ::usleep(static_cast<useconds_t>(k % 8) * 50);
    ::kill(child, SIGTERM);
    ::waitpid(child, nullptr, 0);
    ASSERT_EQ(folder.count(), 0) << "signal " << k;
  }
}

TEST(Leftovers, AFinishedFileStays) {
  const TempFolder folder;
  AtomicFile file(folder / "scores.csv");
  file.write("new");
  file.commit();
  remove_leftovers();
  EXPECT_EQ(read_bytes(folder / "scores.csv"), "new");
}

TEST(Leftovers, AForkedProcessLeavesThoseOfItsParent) {
  const TempFolder folder;
  write_bytes(folder / "a", "1");
  const Leftovers leftovers({folder / "a"});
  const pid_t child = ::fork();
  if (child == 0) {
    remove_leftovers();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(fs::exists(folder / "a"));
  remove_leftovers();
  EXPECT_FALSE(fs::exists(folder / "a"));
}

}  // namespace
}  // namespace contraflow
