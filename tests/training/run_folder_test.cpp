#include "contraflow/training/run_folder.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/tensors.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::read_bytes;
using testing::TempFolder;
using testing::write_bytes;

TEST(RunFolder, ANewRunWritesItsConfigurationIntoFoldersItMakes) {
  const TempFolder temporary;
  const RunFolder folder(temporary.path() / "a" / "b", RunMode::kNew, "x = 1\n");
  EXPECT_EQ(RunFolder::read_config(temporary.path() / "a" / "b"), "x = 1\n");
  EXPECT_TRUE(RunFolder::holds_run(folder.path()));
  EXPECT_FALSE(folder.has_checkpoint());
}

TEST(RunFolder, ANewRunRefusesARunAndTouchesNothing) {
  const TempFolder temporary;
  for (const char* name : {"config.toml", "metrics.jsonl", "checkpoint.safetensors"}) {
    const std::filesystem::path run = temporary.path() / name;  // a folder for each single file
    std::filesystem::create_directory(run);
    write_bytes(run / name, "old");
    const std::string text = error_of<ConfigError>([&] { RunFolder(run, RunMode::kNew, "new"); });
    EXPECT_THAT(text, HasSubstr("--resume"));
    EXPECT_THAT(text, HasSubstr("--overwrite"));
    EXPECT_EQ(read_bytes(run / name), "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(run), {}), 1);
  }
}

TEST(RunFolder, OverwritingRemovesTheRunAndNothingElse) {
  const TempFolder temporary;
  const std::filesystem::path& run = temporary.path();
  for (const char* name : {"config.toml", "metrics.jsonl", "checkpoint.safetensors", "notes.txt"}) {
    write_bytes(run / name, "old");
  }
  const RunFolder folder(run, RunMode::kOverwrite, "new");
  EXPECT_EQ(read_bytes(folder.config_path()), "new");
  EXPECT_FALSE(std::filesystem::exists(folder.metrics_path()));
  EXPECT_FALSE(folder.has_checkpoint());
  EXPECT_EQ(read_bytes(run / "notes.txt"), "old");
}

TEST(RunFolder, ResumingKeepsTheRunAndDropsHalfWrittenFiles) {
  const TempFolder temporary;
  write_bytes(temporary.path() / "config.toml", "old");
  write_bytes(temporary.path() / "metrics.jsonl", "lines");
  write_bytes(temporary.path() / "checkpoint.safetensors.123-0.tmp", "half");
  write_bytes(temporary.path() / "mine.tmp", "kept");
  const RunFolder folder(temporary.path(), RunMode::kResume, "new");
  EXPECT_EQ(read_bytes(folder.config_path()), "old");
  EXPECT_EQ(read_bytes(folder.metrics_path()), "lines");
  EXPECT_FALSE(std::filesystem::exists(temporary.path() / "checkpoint.safetensors.123-0.tmp"));
  EXPECT_TRUE(std::filesystem::exists(temporary.path() / "mine.tmp"));
}

TEST(RunFolder, ResumingNothingIsAnError) {
  const TempFolder temporary;
  const std::filesystem::path missing = temporary.path() / "none";
  EXPECT_THAT(error_of<ConfigError>([&] { RunFolder(missing, RunMode::kResume, ""); }),
              HasSubstr("without --resume"));
  EXPECT_FALSE(std::filesystem::exists(missing));
  error_of<IoError>([&] { RunFolder::read_config(missing); });
}

TEST(RunFolder, ASecondProcessIsKeptOutWhileTheFirstTrains) {
  const TempFolder temporary;
  {
    const RunFolder first(temporary.path(), RunMode::kNew, "");
    EXPECT_THAT(error_of<ConfigError>([&] { RunFolder(temporary.path(), RunMode::kResume, ""); }),
                HasSubstr("locked"));
  }
  EXPECT_NO_THROW(RunFolder(temporary.path(), RunMode::kResume, ""));
}

// A signal at any moment of a new run's beginning, from before its folder is made on.
TEST(RunFolder, NoMomentLeavesANewRunWithoutCheckpoint) {
  constexpr int kSignals = 200;
  const TempFolder temporary;
  for (int k = 0; k < kSignals; ++k) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGTERM, [](int) {
        remove_leftovers();
        ::_exit(0);
      });
      const RunFolder folder(temporary.path() / "run", RunMode::kNew, "x = 1\n");
      while (true) ::pause();
    }
    ::usleep(static_cast<useconds_t>(k) * 10);
    ::kill(child, SIGTERM);
    ::waitpid(child, nullptr, 0);
    ASSERT_EQ(temporary.count(), 0) << "signal " << k;
  }
}

TEST(RunFolder, ASignalLeavesAFolderThatWasThereAndARunWithACheckpoint) {
  const TempFolder temporary;
  {
    const RunFolder folder(temporary.path(), RunMode::kNew, "x = 1\n");
    write_bytes(folder.metrics_path(), "lines");
    remove_leftovers();
    EXPECT_TRUE(std::filesystem::exists(temporary.path()));
    EXPECT_EQ(temporary.count(), 0);
  }
  {
    const RunFolder folder(temporary.path() / "run", RunMode::kNew, "x = 1\n");
    write_bytes(folder.checkpoint_path(), "state");
    remove_leftovers();
    EXPECT_EQ(read_bytes(folder.config_path()), "x = 1\n");
  }
  const RunFolder resumed(temporary.path() / "run", RunMode::kResume, "");
  std::filesystem::remove(resumed.checkpoint_path());
  remove_leftovers();
  EXPECT_EQ(read_bytes(resumed.config_path()), "x = 1\n");
}

TEST(RunFolder, AFileInThePlaceOfTheFolderIsAnError) {
  const TempFolder temporary;
  write_bytes(temporary.path() / "file", "x");
  error_of<IoError>([&] { RunFolder(temporary.path() / "file", RunMode::kNew, ""); });
  EXPECT_EQ(read_bytes(temporary.path() / "file"), "x");
}

}  // namespace
}  // namespace contraflow
