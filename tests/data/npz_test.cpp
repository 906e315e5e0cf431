// Archives of arrays, as numpy.savez and savez_compressed write them.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/npy.h"
#include "tests/data/expect_error.h"
#include "tests/data/golden_npy.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::read_bytes;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using ::testing::ElementsAre;

at::Tensor npz_table() {
  return at::arange(3, at::kDouble).unsqueeze(1) * 10.0 + at::arange(4, at::kDouble);
}

std::filesystem::path member_of(const std::string& name, const std::string& member) {
  return golden_npy(name).string() + ":" + member;
}

TEST(Npz, TheOnlyArrayIsTheOneMeant) {
  for (const char* name : {"one.npz", "fortran.npz"}) {
    NpyReader reader(golden_npy(name));
    EXPECT_THAT(reader.columns(), ElementsAre("column_0", "column_1", "column_2", "column_3"));
    EXPECT_EQ(reader.format().compression, Compression::kZip);
    EXPECT_TRUE(read_all(reader).equal(npz_table())) << name;
  }
}

TEST(Npz, AnArrayIsChosenByName) {
  EXPECT_TRUE(read_all(*open_rows(member_of("mixed.npz", "table"))).equal(npz_table()));
  EXPECT_EQ(read_all(*open_rows(member_of("mixed.npz", "events"))).sizes(),
            at::IntArrayRef({2, 3, 4}));
  EXPECT_TRUE(read_all(*open_rows(member_of("mixed.npz", "table"), {.columns = {"2"}}))
                  .equal(npz_table().narrow(1, 2, 1)));
  expect_error<ConfigError>([] { open_rows(member_of("mixed.npz", "tabel")); },
                            {"mixed.npz", "'tabel'", "Did you mean 'table'?"});
}

TEST(Npz, ArraysOfAsManyRowsAreColumns) {
  NpyReader reader(golden_npy("columns.npz"));
  EXPECT_THAT(reader.columns(), ElementsAre("x", "y", "z_0", "z_1"));
  std::vector<at::Tensor> parts;
  do {
    parts.push_back(reader.next(2));
  } while (parts.back().size(0) > 0);
  EXPECT_TRUE(at::cat(parts).equal(npz_table()));
  const auto some = open_rows(golden_npy("columns.npz"), {.columns = {"z_1", "x"}, .keep = {"y"}});
  EXPECT_TRUE(some->next(9).equal(npz_table().index_select(1, at::tensor({3, 0}, at::kLong))));
  EXPECT_THAT(some->kept(), ElementsAre(ElementsAre("1", "11", "21")));
}

TEST(Npz, OtherArchivesListTheirArrays) {
  expect_error<IoError>([] { open_rows(golden_npy("mixed.npz")); },
                        {"table [3, 4]", "events [2, 3, 4]", "short [2]", "FILE.npz:NAME"});
}

TEST(Npz, FilesThatAreNoArchives) {
  const TempFolder folder;
  write_bytes(folder / "a.npz", "a,b\n1,2\n");
  expect_error<IoError>([&] { open_rows(folder / "a.npz"); }, {"a.npz", "zip"});
  expect_error<IoError>([&] { open_rows(folder / "none.npz"); }, {"none.npz", "No such file"});
  const std::string good = read_bytes(golden_npy("one.npz"));
  for (size_t size = 0; size < good.size(); ++size) {
    write_bytes(folder / "a.npz", good.substr(0, size));
    expect_error<IoError>([&] { read_all(*open_rows(folder / "a.npz")); }, {"a.npz"});
  }
}

TEST(Npz, AWrongChecksumIsAnError) {
  const TempFolder folder;
  std::string bytes = read_bytes(golden_npy("one.npz"));
  bytes[bytes.find("NUMPY") + 130] ^= 1;  // a value, in the stored array
  write_bytes(folder / "a.npz", bytes);
  expect_error<IoError>([&] { read_all(*open_rows(folder / "a.npz")); }, {"a.npz", "CRC"});
}

TEST(Npz, IsReadOnly) {
  expect_error<ConfigError>([] { create_rows("a.npz", {"a"}, at::kDouble); }, {"compressed array"});
}

}  // namespace
}  // namespace contraflow::data
