#include "contraflow/core/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "contraflow/core/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using ::testing::HasSubstr;
using testing::read_bytes;
using testing::TempFolder;
using testing::write_bytes;

// Files of this process end at `bytes`: writing on fails as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{bytes, old_limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit old_limit_ = {};
  void (*old_handler_)(int);
};

TEST(AtomicFile, ReplacesTheFileAtCommit) {
  const TempFolder folder;
  write_bytes(folder / "a", "old");
  AtomicFile file(folder / "a");
  file.write("new ");
  file.write("text");
  file.overwrite_start("NEW");
  EXPECT_EQ(read_bytes(folder / "a"), "old");
  file.commit();
  EXPECT_EQ(read_bytes(folder / "a"), "NEW text");
  EXPECT_EQ(folder.count(), 1);
}

TEST(AtomicFile, WithoutCommitNothingChanges) {
  const TempFolder folder;
  write_bytes(folder / "a", "old");
  EXPECT_THROW(atomic_write(folder / "a",
                            [](AtomicFile& file) {
                              file.write(std::string(3 << 20, 'x'));
                              throw std::runtime_error("writer failed");
                            }),
               std::runtime_error);
  EXPECT_EQ(read_bytes(folder / "a"), "old");
  EXPECT_EQ(folder.count(), 1);
}

TEST(AtomicFile, LargeAndSmallWritesKeepTheirOrder) {
  const TempFolder folder;
  std::string expected;
  AtomicFile file(folder / "a");
  for (const size_t size : {3UL, (1UL << 20U) - 1, 2UL, 5UL << 20U, 1UL, 1UL << 20U}) {
    const std::string part(size, static_cast<char>('a' + size % 26));
    file.write(part);
    expected += part;
  }
  file.commit();
  EXPECT_TRUE(read_bytes(folder / "a") == expected);
}

TEST(AtomicFile, FullDiskKeepsTheOldFileAndLeavesNothing) {
  const TempFolder folder;
  write_bytes(folder / "a", "old");
  for (const size_t size : {size_t{10'000}, size_t{5} << 20U}) {
    const FullDisk full(4096);
    const std::string text =
        error_of<IoError>([&] { atomic_write(folder / "a", std::string(size, 'x')); });
    EXPECT_THAT(text, HasSubstr((folder / "a").string()));
    EXPECT_THAT(text, HasSubstr("got File too large. Free space there"));
  }
  EXPECT_EQ(read_bytes(folder / "a"), "old");
  EXPECT_EQ(folder.count(), 1);
}

TEST(AtomicFile, MissingFolderFolderAndDeviceAreErrors) {
  const TempFolder folder;
  EXPECT_THAT(error_of<IoError>([&] { atomic_write(folder / "no/a", "x"); }),
              HasSubstr("got No such file or directory. Create the folder"));
  EXPECT_THAT(error_of<IoError>([&] { atomic_write(folder.path(), "x"); }),
              HasSubstr("got a folder"));
  EXPECT_THAT(error_of<IoError>([] { atomic_write("/dev/null", "x"); }),
              HasSubstr("[write] /dev/null: expected a regular file or a new name, got a device"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_THAT(error_of<IoError>([] { atomic_write("", "x"); }), HasSubstr("name of a file"));
}

TEST(AtomicFile, ReadOnlyFolderIsAnError) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const TempFolder folder;
  fs::create_directory(folder / "locked");
  fs::permissions(folder / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THAT(error_of<IoError>([&] { atomic_write(folder / "locked/a", "x"); }),
              HasSubstr("Permission denied. Change the permissions"));
}

TEST(AtomicFile, LinksStayLinksAndModesStay) {
  const TempFolder folder;
  write_bytes(folder / "target", "old");
  fs::permissions(folder / "target", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("target", folder / "link");
  atomic_write(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_bytes(folder / "target"), "new");
  EXPECT_EQ(fs::status(folder / "target").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST(AtomicFile, TwoWritersOfOneNameDoNotMix) {
  const TempFolder folder;
  AtomicFile first(folder / "a");
  AtomicFile second(folder / "a");
  first.write("first");
  second.write("second");
  second.commit();
  first.commit();
  EXPECT_EQ(read_bytes(folder / "a"), "first");
  EXPECT_EQ(folder.count(), 1);
}

TEST(ReadFile, GivesTheBytes) {
  const TempFolder folder;
  const std::string bytes("a\0\xFF\n", 4);
  write_bytes(folder / "a", bytes);
  EXPECT_EQ(read_file(folder / "a", 4), bytes);
}

TEST(ReadFile, TooLargeMissingFolderAndPipeAreErrors) {
  const TempFolder folder;
  write_bytes(folder / "a", "12345");
  EXPECT_THAT(error_of<IoError>([&] { read_file(folder / "a", 4); }),
              HasSubstr("expected at most 4 B, got 5 B"));
  EXPECT_THAT(error_of<IoError>([&] { read_file(folder / "b", 4); }),
              HasSubstr("got No such file or directory. Correct the path."));
  EXPECT_THAT(error_of<IoError>([&] { read_file(folder.path(), 4); }), HasSubstr("got a folder"));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of<IoError>([&] { read_file(folder / "pipe", 4); }), HasSubstr("or pipe"));
}

TEST(ReadFile, AFileThatShrinksIsAnError) {
  const TempFolder folder;
  write_bytes(folder / "a", "12345");
  const InputFile file(folder / "a");
  fs::resize_file(folder / "a", 2);
  std::string out(5, '\0');
  EXPECT_THAT(error_of<IoError>([&] { file.read_at(0, out); }),
              HasSubstr("the end of the file earlier"));
}

}  // namespace
}  // namespace contraflow
