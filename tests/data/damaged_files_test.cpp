// Files of rows with a damaged byte: the rows that are there, all finite, or an error that names the
// file. Never a crash, another exception, or a number that is not one.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/rows.h"
#include "tests/data/golden_npy.h"
#include "tests/support/byte_damage.h"
#include "tests/support/npy.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::for_each_damage;
using contraflow::testing::read_bytes;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using contraflow::testing::write_npy;

struct Outcomes {
  int read = 0;
  int refused = 0;
};

/// Reads every damaged form of `good` from a file of that name.
Outcomes read_damaged(const std::string& name, const std::string& good) {
  const TempFolder folder;
  Outcomes out;
  for_each_damage(good, [&](const std::string& bytes, const std::string& what) {
    std::filesystem::remove(folder / name);  // a new file is not flushed when it is closed
    write_bytes(folder / name, bytes);
    try {
      const auto reader = open_rows(folder / name);
      const at::Tensor rows = read_all(*reader);
      EXPECT_TRUE(at::isfinite(rows).all().item<bool>()) << what << ":\n" << bytes;
      ++out.read;
    } catch (const Error& error) {  // any other exception fails the test
      EXPECT_THAT(error.what(), ::testing::HasSubstr(name)) << what;
      EXPECT_LT(std::string(error.what()).size(), 800U) << what;
      ++out.refused;
    }
  });
  return out;
}

TEST(DamagedFiles, CsvWithAHeader) {
  const Outcomes found =
      read_damaged("bad.csv", "a,\"b \"\"c\"\"\",d\n1,2.5,-3e100\n4.25,\"5\",1e-300\r\n+7, 8,9\n");
  EXPECT_GT(found.read, 50);  // another digit, or a row less: nothing tells it from a good file
  EXPECT_GT(found.refused, 300);
}

TEST(DamagedFiles, TabsWithoutAHeader) {
  const Outcomes found = read_damaged("bad.tsv", "1\t2\n3\t4.5\n-6e7\t8\n");
  EXPECT_GT(found.read, 20);
  EXPECT_GT(found.refused, 80);
}

class DamagedNpy : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(DamagedNpy, EveryByte) {
  const TempFolder folder;
  const at::Tensor rows = at::arange(6, at::kDouble).reshape({3, 2}) * 1.5;
  write_npy(folder / "good.npy", rows.to(GetParam()));
  const Outcomes found = read_damaged("bad.npy", read_bytes(folder / "good.npy"));
  EXPECT_GT(found.read, 50);
  EXPECT_GT(found.refused, 500);
}

TEST(DamagedFiles, CompressedText) {
  const TempFolder folder;
  const auto writer = create_rows(folder / "good.csv.gz", {"a", "b"}, at::kDouble);
  writer->append(at::arange(6, at::kDouble).reshape({3, 2}) * 1.5);
  writer->finish();
  const Outcomes found = read_damaged("bad.csv.gz", read_bytes(folder / "good.csv.gz"));
  EXPECT_GT(found.read, 30);  // time, system and flags of gzip's header mean nothing to us
  EXPECT_GT(found.refused, 400);
}

class DamagedNpz : public ::testing::TestWithParam<const char*> {};

TEST_P(DamagedNpz, EveryByte) {
  const Outcomes found = read_damaged("bad.npz", read_bytes(golden_npy(GetParam())));
  EXPECT_GT(found.read, 100);  // names, times and attributes are in the archive too
  EXPECT_GT(found.refused, 1000);
}

INSTANTIATE_TEST_SUITE_P(, DamagedNpz, ::testing::Values("one.npz", "fortran.npz", "columns.npz"));

TEST(DamagedFiles, Records) {
  const Outcomes found = read_damaged("bad.npy", read_bytes(golden_npy("records.npy")));
  EXPECT_GT(found.read, 50);
  EXPECT_GT(found.refused, 500);
}

INSTANTIATE_TEST_SUITE_P(, DamagedNpy, ::testing::Values(at::kDouble, at::kFloat, at::kLong));

}  // namespace
}  // namespace contraflow::data
