#include "contraflow/training/run_folder.h"

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

TEST(RunFolder, AFileInThePlaceOfTheFolderIsAnError) {
  const TempFolder temporary;
  write_bytes(temporary.path() / "file", "x");
  error_of<IoError>([&] { RunFolder(temporary.path() / "file", RunMode::kNew, ""); });
  EXPECT_EQ(read_bytes(temporary.path() / "file"), "x");
}

}  // namespace
}  // namespace contraflow
